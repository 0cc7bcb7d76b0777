"""The benchmark runs, its peers answer the same question, and its floor is the formula's."""

import json
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def repository(monkeypatch):
    """`benchmarks` is a folder of the repository, not part of the package."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1])


def test_reference_agrees_with_the_package_for_every_answer():
    from benchmarks import reference
    from benchmarks.workloads import Workload, answer, make

    for kind in ("fit", "lr", "score", "rstar", "firth"):
        workload = Workload(kind, 60, 3, 4)
        data = make(workload)
        values, status = answer(workload, data)
        assert np.all(status == 0)
        assert reference.deviation(values, data, kind) < 1e-8


def test_own_designs_differ_in_the_genotype_alone():
    from benchmarks.workloads import Workload, answer, make

    workload = Workload("fit", 80, 4, 6, "genotype")
    data = make(workload)
    assert data.genotypes is not None
    np.testing.assert_array_equal(data.X[:, :, -1], data.genotypes[:6])
    assert np.ptp(data.X[:, :, :-1], axis=0).max() == 0
    assert answer(workload, data)[0].shape == (6, 4)
    apart = Workload("fit", 80, 4, 6, "column")
    given = make(apart)
    np.testing.assert_array_equal(given.model(2)[0], data.model(2)[0])
    np.testing.assert_allclose(answer(apart, given)[0], answer(workload, data)[0], rtol=1e-9)


def test_own_designs_differ_everywhere():
    from benchmarks.workloads import Workload, answer, make

    workload = Workload("fit", 80, 4, 6, "own-X")
    data = make(workload)
    assert np.all(np.ptp(data.X[:, :, 1:], axis=0) > 0)
    assert data.model(3)[0].shape == (80, 4)
    assert answer(workload, data)[0].shape == (6, 4)


def test_floor_counts_exponentials_and_flops():
    from benchmarks.limit import floor
    from benchmarks.workloads import Workload

    limits = {"t_exp_ns": 2.0, "gemm_gflops": 10.0}
    one = 100 * 2e-3 + (2 * 100 * (5 + 5 + 15)) / 10e3
    assert floor(Workload("fit", 100, 5, 1), limits) == pytest.approx(6 * one)
    assert floor(Workload("lr", 100, 5, 1), limits) == pytest.approx(46 * one)


def test_genotype_files_hold_two_bits_each(tmp_path):
    from benchmarks.peers import _write_genotypes

    _write_genotypes(tmp_path / "g", np.array([[0, 1, 2, 0, 2]], np.int8))
    packed = (tmp_path / "g.bed").read_bytes()
    assert packed == bytes([0x6C, 0x1B, 0x01, 0b11001011, 0b00])


def test_missing_programs_are_skipped_with_a_reason(monkeypatch):
    from benchmarks import peers

    monkeypatch.setattr(peers.shutil, "which", lambda _: None)
    peer = peers.Peer("R glm.fit", 300, peers._r("fit"), "Rscript")
    assert peer.missing() == "Rscript is not installed"


def test_command_refuses_an_unknown_workload(capsys):
    from benchmarks.run import main

    assert main(["--only", "nothing"]) == 1
    assert "found 'nothing'" in capsys.readouterr().err


@pytest.mark.slow
def test_quick_run_prints_a_narrow_table_and_writes_json(tmp_path, capsys):
    from benchmarks.run import main

    target = tmp_path / "out.json"
    assert main(["--quick", "--only", "fit shared", "--json", str(target)]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 100
    record = json.loads(target.read_text())
    mine = record["workloads"][0]["lines"][0]
    assert mine["name"] == "jaxlogit" and mine["deviation"] < 1e-8
    assert str(Path.home()) not in target.read_text()


@pytest.mark.slow
def test_breakdown_accounts_for_the_whole_call(tmp_path):
    from benchmarks.breakdown import ROWS
    from benchmarks.run import main

    target = tmp_path / "out.json"
    only = "fit shared n=100 p=5"
    assert main(["--quick", "--breakdown", "--only", only, "--json", str(target)]) == 0
    (found,) = json.loads(target.read_text())["breakdown"]
    parts = found["parts_us"]
    assert set(parts) == set(ROWS)
    assert sum(parts.values()) == pytest.approx(found["us_per_model"], rel=0.2)
    assert min(parts[kind] for kind in ("products", "exponentials", "systems", "Python")) > 0


def test_operations_have_kinds():
    from benchmarks.breakdown import operations

    program = """
%fused (a: f64[100,16]) -> f64[100,16] {
  %a = f64[100,16]{1,0} parameter(0)
  ROOT %e = f64[100,16]{1,0} exponential(%a)
}

ENTRY %main (x: f64[5,16]) -> f64[5,16] {
  %x = f64[5,16]{1,0} parameter(0)
  %d = f64[100,16]{1,0} dot(%x, %x)
  %loop_fusion = f64[100,16]{1,0} fusion(%d), kind=kLoop, calls=%fused
  %m = f64[100,16]{1,0} multiply(%d, %d)
  %s = f64[5,16]{1,0} subtract(%x, %x)
  %c = f64[16,5]{1,0} copy(%x)
  ROOT %while.1 = f64[5,16]{1,0} while(%x), condition=%main, body=%main
}
"""
    kinds = dict(operations(program, n_rows=100))
    assert kinds["d"] == "products" and kinds["loop_fusion"] == "exponentials"
    assert kinds["m"] == "rows" and kinds["s"] == "systems" and kinds["c"] == "copies"
    assert "while.1" not in kinds
