"""Memory is looked up before it is needed; blocks that do not fit are halved."""

import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlogit
from jaxlogit import batch, forms, memory


@pytest.fixture
def problem():
    random = np.random.default_rng(5)
    X = np.column_stack([np.ones(40), random.normal(size=(40, 2))])
    return X, (random.random((300, 40)) < 0.4).astype(float)


def exhausted(limit, monkeypatch):
    """Forms of more than `limit` models find no memory; sizes that were tried."""
    tried = []
    make = forms.Form.__init__

    def with_a_limit(self, task, options, hurried):
        make(self, task, options, hurried)
        call = self.call

        class Call:
            trace = staticmethod(call.trace)
            clear_cache = staticmethod(call.clear_cache)

            def __call__(self, lanes, shared):
                size = len(jax.tree.leaves(lanes)[0])
                tried.append(size)
                if size > limit:
                    raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")
                return call(lanes, shared)

        self.call = Call()

    monkeypatch.setattr(batch, "_compiled", forms.Forms())
    monkeypatch.setattr(forms.Form, "__init__", with_a_limit)
    return tried


def test_blocks_are_halved_until_they_fit(problem, monkeypatch):
    expected = jaxlogit.fit(*problem)
    tried = exhausted(40, monkeypatch)
    found = jaxlogit.fit(*problem)
    assert max(tried) > 40 >= min(tried)
    np.testing.assert_allclose(found.coef, expected.coef, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(found.status, expected.status)


def sorted_first(lane, shared):
    return jnp.sort(jax.lax.iota(jnp.float64, 1 << 42) * lane)[0] + shared


@pytest.mark.skipif(sys.platform != "linux", reason="other systems may promise any memory")
def test_one_model_that_does_not_fit():
    """The real thing: a task that needs 64 TiB for each model."""
    with pytest.raises(MemoryError, match="one model does not fit in memory: RESOURCE_EXHAUSTED"):
        batch.run(sorted_first, 3, np.ones(3), np.float64(0), row_elements=1)


def test_other_errors_of_a_device_are_passed_on(problem, monkeypatch):
    tried = exhausted(0, monkeypatch)
    monkeypatch.setattr(batch, "EXHAUSTED", "something else")
    with pytest.raises(jax.errors.JaxRuntimeError, match="RESOURCE_EXHAUSTED"):
        jaxlogit.fit(*problem)
    assert len(tried) == 1


def test_results_that_do_not_fit_are_refused_before_the_work(problem, monkeypatch):
    monkeypatch.setattr(memory, "WORTH_ASKING", 0)
    monkeypatch.setattr(memory, "free", lambda device=None: 3000)
    with pytest.raises(MemoryError, match=r"results of 300 models take .* KiB .*: 2.9 KiB are fr"):
        jaxlogit.fit(*problem)


def test_ends_and_covariances_that_do_not_fit(problem, monkeypatch):
    fit = jaxlogit.fit(*problem)
    monkeypatch.setattr(memory, "WORTH_ASKING", 0)
    monkeypatch.setattr(memory, "free", lambda device=None: 3000)
    with pytest.raises(MemoryError, match="interval ends of 300 models take"):
        fit.confint()
    with pytest.raises(MemoryError, match="covariances of 300 models take"):
        _ = fit.covariance


def test_fewer_threads_where_memory_is_short(problem, monkeypatch):
    monkeypatch.setattr(memory, "WORTH_ASKING", 0)
    job = batch._Job(SimpleNamespace(), *problem, None, 300, 16)
    monkeypatch.setattr(batch, "n_threads", lambda: 4)
    for free, expected in ((None, 5), (1 << 40, 5), (3000, 3), (10, 1)):
        monkeypatch.setattr(memory, "free", lambda device=None, free=free: free)
        assert job.workers(1000) == expected


def test_what_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert memory.free() is None
    (tmp_path / "meminfo").write_text("MemTotal: 900 kB\nMemAvailable:  700 kB\n")
    assert memory.free() == 700 * 1024
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.free() == 700 * 1024
    (tmp_path / "memory.max").write_text("5000\n")
    (tmp_path / "memory.current").write_text("4000\n")
    (tmp_path / "memory.stat").write_text("file 10\ninactive_file 600\n")
    assert memory.free() == 1600


def test_what_is_free_on_an_accelerator():
    stats = {"bytes_limit": 100, "bytes_in_use": 30}
    assert memory.free(SimpleNamespace(platform="gpu", memory_stats=lambda: stats)) == 70
    assert memory.free(SimpleNamespace(platform="gpu", memory_stats=lambda: None)) is None


def test_blocks_of_an_accelerator_fit_its_memory(monkeypatch):
    monkeypatch.setattr(batch.jax, "default_backend", lambda: "gpu")
    most = batch.ACCELERATOR_ELEMENTS
    for free, elements in ((None, most), (1 << 50, most), (5000 * 8 * batch.BLOCK_ARRAYS, 4096)):
        monkeypatch.setattr(memory, "free", lambda device=None, free=free: free)
        assert elements // 2 < 10 * batch.block_size(10**9, 10) <= elements


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1,023 B"), (1536, "1.5 KiB"), (3 << 40, "3.0 TiB")]
)
def test_sizes_for_people(count, text):
    assert memory.size(count) == text
