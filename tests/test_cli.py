"""The command line: exit statuses, one line for bad input, and the whole way of a study."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import jaxlogit as jl
from jaxlogit.cli import main
from jaxlogit.frame import design, read_table
from jaxlogit.study import StudyResult

SPEC = """
name = "mini"
seed = 3
replicates = 24
methods = ["ml:wald", "ml:lr"]
[design]
data = "mini.csv"
formula = "y ~ x"
trials = "m"
truth = "mle"
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    frame = pd.DataFrame({"x": [0, 1, 2, 3], "y": [2, 3, 6, 7], "m": 9})
    frame.to_csv(folder / "mini.csv", index=False)
    (folder / "mini.toml").write_text(SPEC)
    return folder


@pytest.fixture(scope="module")
def store(folder):
    path = folder / "done"
    assert main(["study", "run", str(folder / "mini.toml"), "--store", str(path)]) == 0
    return path


def fails(capsys, arguments, message):
    """Exit 1, nothing printed, and one line that matches."""
    try:
        code = main([str(argument) for argument in arguments])
    except SystemExit as exit_:
        code = exit_.code
    said = capsys.readouterr()
    assert (code, said.out) == (1, "")
    assert said.err.count("\n") == 1
    assert "Traceback" not in said.err
    assert re.search(message, said.err), said.err


def test_run_prints_tables_and_writes_csv(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    csv = folder / "measures.csv"
    assert main(["study", "run", "mini.toml", "--csv", str(csv), "--replicates", "10"]) == 0
    said = capsys.readouterr()
    assert "Coverage of 95 % intervals" in said.out
    assert "mini: 10 replicates to compute, results in mini-study" in said.err
    assert "10/10" in said.err
    assert (folder / "mini-study" / "study.json").exists()
    table = pd.read_csv(csv)
    assert len(table) == 4
    assert np.isfinite(table.coverage_mcse).all()


def test_exact_prints_tables_and_writes_csv(folder, tmp_path, capsys):
    csv = tmp_path / "exact.csv"
    assert main(["study", "exact", str(folder / "mini.toml"), "--csv", str(csv)]) == 0
    said = capsys.readouterr()
    assert "enumeration of 10,000 outcomes in " in said.out
    assert "Monte Carlo error" in said.out
    table = pd.read_csv(csv)
    assert len(table) == 4
    assert (table.coverage_mcse == 0).all()


def test_json_has_every_measure_and_status(store, folder, capsys):
    for words in (["summary", str(store)], ["exact", str(folder / "mini.toml")]):
        assert main(["study", *words, "--json"]) == 0
        found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
        assert found["name"] == "mini"
        first = found["measures"][0]
        assert 0.6 < first["coverage"] <= 1 and first["term"] == "Intercept"
        assert found["statuses"][0]["converged"] > 0
    assert main(["datasets", "--json"]) == 0
    assert "birthwt" in [row["name"] for row in json.loads(capsys.readouterr().out)]


def test_second_run_has_nothing_to_do(folder, store, capsys):
    assert main(["study", "run", str(folder / "mini.toml"), "--store", str(store)]) == 0
    assert "nothing left to compute" in capsys.readouterr().err


def test_no_progress_says_nothing(folder, store, capsys):
    command = ["study", "run", str(folder / "mini.toml"), "--store", str(store), "--no-progress"]
    assert main(command) == 0
    assert capsys.readouterr().err == ""


def test_status_summary_and_replay_of_a_store(store, folder, capsys):
    assert main(["study", "status", str(store)]) == 0
    assert "24 replicates asked for" in capsys.readouterr().out
    assert main(["study", "summary", str(store), "--markdown"]) == 0
    assert "| x " in capsys.readouterr().out
    assert main(["study", "summary", str(store), "--differences"]) == 0
    assert "wald - lr" in capsys.readouterr().out
    csv = folder / "replicate.csv"
    assert main(["study", "replay", str(store), "--replicate", "5", "--csv", str(csv)]) == 0
    assert "Cell main, replicate 5" in capsys.readouterr().out
    table = pd.read_csv(csv)
    assert list(table) == ["(y)", "Intercept", "x", "(trials)"]
    assert (table["(trials)"] == 9).all()


def test_summary_says_what_is_damaged(folder, store, tmp_path, capsys):
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(store), str(copy)], check=True)
    (part,) = (copy / "parts").glob("*.parquet")
    part.write_bytes(b"x")
    assert main(["study", "summary", str(copy)]) == 0
    said = capsys.readouterr()
    assert "damaged" in said.err and "left out" in said.err
    assert "1 damaged parts are left out" in said.out
    assert "n/a" in said.out


def test_datasets_are_listed(capsys):
    assert main(["datasets"]) == 0
    assert re.search(r"birthwt +189 +low ~", capsys.readouterr().out)


def test_version_and_help(capsys):
    for option in ("--version", "--help"):
        with pytest.raises(SystemExit) as exit_:
            main([option])
        assert exit_.value.code == 0
    assert "jaxlogit" in capsys.readouterr().out


def test_usage_errors_are_one_line(capsys):
    fails(capsys, ["study"], "arguments are required: COMMAND")
    fails(capsys, ["study", "rum", "birthwt"], "invalid choice: 'rum'")
    fails(capsys, ["study", "run", "birthwt", "--replicates", "many"], "invalid int value: 'many'")
    fails(capsys, ["study", "replay", "x"], "arguments are required: --replicate")


def test_bad_input_is_one_line(folder, store, tmp_path, capsys):
    spec = folder / "mini.toml"
    fails(capsys, ["study", "run", "birthwd"], "no study file birthwd.*did you mean 'birthwt'")
    fails(capsys, ["study", "run", spec, "--replicates", 0], "replicates must .*found 0")
    fails(capsys, ["study", "summary", tmp_path], "has no study.json")
    fails(capsys, ["study", "status", tmp_path / "gone"], "has no study.json")
    fails(capsys, ["study", "replay", store, "--replicate", -1], "replicate must be .*found -1")
    fails(capsys, ["study", "replay", store, "--replicate", 1, "--cell", "x"], 'no cell "x"')
    changed = folder / "changed.toml"
    for before, after, message in (
        ('"y ~ x"', '"y ~ z"', "z"),
        ('"y ~ x"', '"y ~"', "formula"),
        ('"mini.csv"', '"gone.csv"', r"gone\.csv"),
        ('"mini.csv"', '"birthwd"', "birthw"),
        ("seed = 3", "sede = 3", r"changed\.toml: unknown key .sede.: .*did you mean 'seed'"),
        ("seed = 3", "seed = [", r"changed\.toml is not valid TOML"),
        ('"mle"', "[1]", r"truth must be 2 coefficients"),
    ):
        changed.write_text(SPEC.replace(before, after))
        fails(capsys, ["study", "run", changed, "--store", tmp_path / "new"], message)
    assert not (tmp_path / "new").exists()


def test_another_seed_in_the_same_store_is_refused(folder, store, capsys):
    changed = folder / "seed.toml"
    changed.write_text(SPEC.replace("seed = 3", "seed = 4"))
    assert main(["study", "run", str(changed), "--store", str(store)]) == 1
    assert "seed is 3 there and 4 here" in capsys.readouterr().err


def test_help_loads_nothing_heavy():
    """Help must not wait for JAX where the package itself does not import it."""
    code = (
        "import sys, jaxlogit; before = set(sys.modules)\n"
        "import jaxlogit.cli; jaxlogit.cli.parser()\n"
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before} "
        "& {'jax', 'pandas', 'pyarrow', 'scipy', 'formulaic', 'rich'}))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_stop_keeps_what_is_finished_and_says_so(folder, tmp_path, number, code, word):
    command = [sys.executable, "-m", "jaxlogit", "study", "run", str(folder / "mini.toml"),
               "--store", str(tmp_path), "--replicates", "400000"]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as run:
        deadline = time.monotonic() + 120
        while not list((tmp_path / "parts").glob("*.parquet")) and time.monotonic() < deadline:
            time.sleep(0.05)
        run.send_signal(number)
        out, err = run.communicate()
    assert run.returncode == code
    assert out == b""
    found = re.fullmatch(
        rf"jaxlogit: {word}: ([\d,]+) of 400,000 replicates are done, running again resumes",
        err.decode().splitlines()[-1],
    )
    assert found is not None
    kept = StudyResult.from_store(tmp_path)
    assert kept.n_replicates("main", "ml:lr") == int(found[1].replace(",", "")) > 0
    assert b"Traceback" not in err


def test_other_commands_have_no_parts_to_keep(capsys, monkeypatch):
    def interrupted(options):
        raise KeyboardInterrupt

    monkeypatch.setattr("jaxlogit.cli.datasets.run", interrupted)
    assert main(["datasets"]) == 130
    assert capsys.readouterr().err == "jaxlogit: interrupted\n"


def test_a_closed_pipe_is_no_error(store):
    command = (
        f"{sys.executable} -m jaxlogit study summary {store} | head -1; exit ${{PIPESTATUS[0]}}"
    )
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env=os.environ)
    assert run.returncode == 0
    assert run.stdout.startswith("Study mini")
    assert run.stderr == ""


BIRTHS = ["bootstrap", "birthwt", "low ~ age + smoke", "--replicates", "400"]


def test_bootstrap_prints_and_writes(tmp_path, capsys):
    out, csv = tmp_path / "replicates.parquet", tmp_path / "table.csv"
    command = [*BIRTHS, "--kind", "percentile", "--level", "0.9", "--seed", "4"]
    assert main([*command, "--out", str(out), "--csv", str(csv)]) == 0
    said = capsys.readouterr()
    model = design("low ~ age + smoke", read_table("birthwt"))
    boot = jl.bootstrap(model.X, model.y, replicates=400, seed=4, names=model.names)
    assert said.out.endswith(boot.summary(0.9, "percentile"))
    assert "189 rows, 3 coefficients, 59 of them 1" in said.out
    np.testing.assert_array_equal(pd.read_parquet(out)["smoke"], boot.coef[:, 2])
    table = pd.read_csv(csv)
    assert list(table.term) == ["Intercept", "age", "smoke"]
    ends = boot.confint(0.9, "percentile")
    np.testing.assert_allclose(table.conf_high, ends.upper, rtol=1e-12)
    assert set(table.low_status) == {"converged"}


def test_bootstrap_leaves_out_labels_of_incomplete_rows(tmp_path, capsys):
    generator = np.random.default_rng(3)
    table = pd.DataFrame({"x": generator.normal(size=60), "y": np.arange(60) % 2,
                          "ward": np.repeat(list("abcdefghijkl"), 5), "half": 1})  # fmt: skip
    table.loc[30:, "half"] = 2
    table.loc[[4, 17], "x"] = np.nan
    table.loc[33, "ward"] = None
    table.to_csv(tmp_path / "wards.csv", index=False)
    out = tmp_path / "replicates.parquet"
    command = ["bootstrap", str(tmp_path / "wards.csv"), "y ~ x", "--cluster", "ward"]
    command += ["--strata", "half", "--replicates", "400", "--out", str(out)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "57 rows, 2 coefficients (3 rows with missing values left out)" in said
    assert "pairs of 12 clusters, 400 replicates" in said
    rows = table.drop([4, 17, 33])
    boot = jl.bootstrap(np.column_stack([np.ones(57), rows.x]), rows.y, replicates=400,
                        clusters=rows.ward.tolist(), strata=rows.half)  # fmt: skip
    np.testing.assert_allclose(pd.read_parquet(out)["x"], boot.coef[:, 1], rtol=1e-12)


def test_bootstrap_on_a_terminal_draws_the_same(capsys, monkeypatch):
    assert main(BIRTHS) == 0
    plain = capsys.readouterr()
    monkeypatch.setattr("jaxlogit.cli.bootstrap.AT_A_TIME", 150)
    monkeypatch.setattr("jaxlogit.cli.bootstrap.SHOWN_AFTER", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(BIRTHS) == 0
    shown = capsys.readouterr()
    assert shown.out == plain.out
    assert "150 of 400 replicates" in shown.err and plain.err == ""


def test_bootstrap_of_a_scheme_without_bca(capsys):
    assert main([*BIRTHS, "--scheme", "score"]) == 0
    assert "95 % intervals: percentile" in capsys.readouterr().out


def test_bootstrap_says_why_there_is_no_interval(capsys):
    command = ["bootstrap", "endometrial", "HG ~ NV + PI + EH", "--replicates", "400"]
    assert main(command) == 0
    assert "kind 'bca' needs one, 'percentile' not" in capsys.readouterr().out


def test_bootstrap_refuses_in_one_line(capsys, tmp_path):
    short = BIRTHS[:3]
    fails(capsys, [*short, "--replicates", 30], "replicates must be at least 39")
    fails(capsys, [*short, "--replicates", 0], "replicates must .*found 0")
    fails(capsys, [*short, "--level", 95], r"level must lie in \(0, 1\): found 95")
    fails(capsys, [*BIRTHS, "--scheme", "pear"], "scheme must be .*did you mean 'pairs'")
    fails(capsys, [*BIRTHS, "--kind", "bcb"], "kind must be .*did you mean 'bca'")
    fails(capsys, [*BIRTHS, "--penalty", "frith"], "penalty must be .*did you mean 'firth'")
    fails(capsys, [*BIRTHS, "--cluster", "rac"], "found 'rac'; did you mean 'race'")
    fails(capsys, [*BIRTHS, "--seed", "-1"], "seed must")
    fails(capsys, ["bootstrap", "birthwd", "low ~ age"], "did you mean 'birthwt'")
    fails(capsys, ["bootstrap", "birthwt", "low ~ agee"], "agee")
    fails(capsys, ["bootstrap", "birthwt"], "arguments are required: FORMULA")
    fails(capsys, [*BIRTHS, "--out", tmp_path / "gone" / "r.txt"], "out must end in .parquet")


def test_bootstrap_of_trials_weights_and_offset(tmp_path, capsys):
    rng, out = np.random.default_rng(6), tmp_path / "replicates.parquet"
    table = pd.DataFrame({"x": rng.standard_normal(40), "m": 1 + np.arange(40) % 3,
                          "w": 0.5 + rng.random(40), "o": 0.1 * rng.random(40)})  # fmt: skip
    table["y"] = np.minimum(rng.integers(0, 3, 40), table["m"])
    table.to_csv(tmp_path / "doses.csv", index=False)
    command = ["bootstrap", str(tmp_path / "doses.csv"), "y ~ x", "--replicates", "60"]
    command += ["--trials", "m", "--weights", "w", "--offset", "o", "--size", "30"]
    assert main([*command, "--out", str(out)]) == 0
    assert "intervals: percentile" in capsys.readouterr().out
    X = np.column_stack([np.ones(40), table.x])
    boot = jl.bootstrap(X, table.y, trials=table.m, weights=table.w, offset=table.o, size=30,
                        replicates=60)  # fmt: skip
    np.testing.assert_allclose(pd.read_parquet(out)["x"], boot.coef[:, 1], rtol=1e-12)


def test_bootstrap_refuses_a_kind_before_it_draws(capsys):
    far_too_many = ["--replicates", 1 << 32]  # refused for their memory before any is drawn
    command = [*BIRTHS[:3], *far_too_many, "--scheme", "score", "--kind", "bca"]
    fails(capsys, command, "kind must be one of 'normal'")
