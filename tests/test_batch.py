"""Many models: blocks, padding, order and threads change nothing; memory stays bounded."""

import gc
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlogit
from jaxlogit import batch, forms
from jaxlogit.core.working import Arrays

ROUNDING = 1e-9
"""Standard errors, or relative: blocks of other shapes add up in another order."""

B, N, P = 70, 25, 3


@pytest.fixture(scope="module")
def problem():
    random = np.random.default_rng(41)
    X = np.column_stack([np.ones(N), random.normal(size=(N, P - 1))])
    return X, random.integers(0, 2, (B, N)), random.uniform(0.5, 2, (B, N))


def twice(lane, shared, *, plus: int = 0):
    """A task: what it gets, doubled, beside a sum with what is shared."""
    return {"double": 2 * lane, "sum": jnp.sum(lane) + shared + plus}


def run_twice(lanes, size=None, index=None, **options):
    return batch.run(twice, len(lanes), lanes, np.float64(10), row_elements=4, size=size,
                     index=index, **options)  # fmt: skip


@pytest.mark.parametrize("size", [1, 3, 16, 256])
def test_results_come_back_in_order(size):
    lanes = np.arange(40.0).reshape(20, 2)
    found = run_twice(lanes, size)
    np.testing.assert_array_equal(found["double"], 2 * lanes)
    np.testing.assert_array_equal(found["sum"], lanes.sum(axis=1) + 10)
    assert found["double"].dtype == np.float64


def test_index_chooses_and_orders_models():
    lanes = np.arange(40.0).reshape(20, 2)
    index = np.array([7, 0, 7, 19])
    np.testing.assert_array_equal(run_twice(lanes, 3, index)["double"], 2 * lanes[index])


def test_options_reach_the_task():
    lanes = np.zeros((5, 2))
    np.testing.assert_array_equal(run_twice(lanes, plus=5)["sum"], 15.0)
    np.testing.assert_array_equal(run_twice(lanes, plus=6)["sum"], 16.0)


@pytest.mark.parametrize("threads", ["1", "3"])
def test_threads_change_nothing(monkeypatch, threads):
    monkeypatch.setenv("JAXLOGIT_NUM_THREADS", threads)
    assert batch.n_threads() == int(threads)
    lanes = np.arange(200.0).reshape(100, 2)
    np.testing.assert_array_equal(run_twice(lanes, 3)["double"], 2 * lanes)


def test_threads_by_affinity_without_a_number(monkeypatch):
    monkeypatch.setenv("JAXLOGIT_NUM_THREADS", "")
    assert batch.n_threads() >= 1


@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5"])
def test_no_number_of_threads(monkeypatch, value):
    """A typo would take every core of a machine that others use."""
    monkeypatch.setenv("JAXLOGIT_NUM_THREADS", value)
    with pytest.raises(ValueError, match=f"JAXLOGIT_NUM_THREADS .* from 1 on: found '{value}'"):
        batch.n_threads()


def test_block_sizes():
    """Few sizes, so that few shapes are compiled; never more rows than the budget."""
    counts = [*range(1, 6000, 7), 10**6]
    for rows in (10, 189, 5000, 10**9):
        for searches in (1, 20):
            sizes = {batch.block_size(count, rows, searches=searches) for count in counts}
            assert len(sizes) <= len(batch.SMALL_BLOCKS) + 2
            assert max(sizes) * searches * rows <= batch.BLOCK_ELEMENTS or sizes == {1}
            assert all(size * searches % batch.ALIAS for size in sizes)
    assert batch.block_size(10**6, 189) % batch.REGISTER == 0
    assert batch.block_size(10**6, 10**9) == 1
    assert batch.block_size(1, 10) == 1


def everything(X, y, weights):
    """A fit's numbers side by side, (B, ·)."""
    fit = jaxlogit.fit(X, y, weights=weights)
    ends = fit.confint()
    return np.column_stack([fit.coef, ends.lower, ends.upper, fit.loglik, fit.status])


def assert_same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=ROUNDING, atol=ROUNDING)


@pytest.mark.parametrize("elements", [64 * N, 16 * N])
def test_block_size_changes_nothing(problem, monkeypatch, elements):
    expected = everything(*problem)
    monkeypatch.setattr(batch, "BLOCK_ELEMENTS", elements)
    assert batch.block_size(B, N) < B
    assert_same(everything(*problem), expected)


def test_permutation_of_models_changes_nothing(problem):
    X, y, weights = problem
    order = np.random.default_rng(0).permutation(B)
    assert_same(everything(X, y[order], weights[order]), everything(*problem)[order])


def test_batch_mates_are_irrelevant(problem):
    """Each model alone is what it is among others, separated and deficient ones among them."""
    X, y, weights = problem
    y, weights = y.copy(), weights.copy()
    y[3] = 1
    y[4] = X[:, 1] > 0
    weights[5, 2:] = 0.0
    with_others = everything(X, y, weights)
    untouched = np.setdiff1d(np.arange(B), [3, 4, 5])
    assert_same(with_others[untouched], everything(*problem)[untouched])
    for i in (0, 3, 4, 5, B - 1):
        assert_same(everything(X, y[i : i + 1], weights[i : i + 1])[0], with_others[i])


def test_jax_settings_are_left_alone():
    """Work is done in float64 in its own context, whatever the global setting."""
    script = """
import jax, numpy as np
assert not jax.config.jax_enable_x64
import jaxlogit
fit = jaxlogit.fit(np.ones((4, 1)), [1, 1, 1, 0])
assert fit.coef.dtype == np.float64
assert abs(fit.coef[0] - np.log(3)) < 1e-11
assert abs(fit.confint().upper[0] - 4.104623407632898) < 1e-10
assert not jax.config.jax_enable_x64
assert jax.numpy.ones(2).dtype == np.float32
"""
    run_script(script)


def run_script(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


MEMORY = """
import resource, sys
import numpy as np, jaxlogit

count, n = int(sys.argv[1]), 20
random = np.random.default_rng(0)
X = np.column_stack([np.ones(n), np.linspace(-1, 1, n)])

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

def work(y):
    fit = jaxlogit.fit(X, y)
    ends = fit.confint()
    return np.count_nonzero(fit.status == 0), fit, ends

work(random.integers(0, 2, (10_000, n), dtype=np.int8))
before = peak()
y = random.integers(0, 2, (count, n), dtype=np.int8)
done, fit, ends = work(y)
assert done > 0.98 * count, done
print(peak() - before)
"""


@pytest.mark.slow
def test_a_million_models_in_bounded_memory():
    """Beside the data and the results (0.4 kB a model) nothing grows with their number."""
    grown = float(run_script(MEMORY, "1000000"))
    assert grown < 1000, f"{grown:.0f} MiB"


def test_arrays_are_a_tree_of_the_given_fields_only():
    import jax

    assert len(jax.tree.leaves(Arrays(y=np.ones(2), weights=np.ones(2)))) == 2


def test_the_latest_few_compiled_forms_are_kept(monkeypatch):
    """Each holds hundreds of memory mappings, and a process may have only so many."""
    monkeypatch.setattr(forms, "MOST_COMPILED", 3)
    coef = []
    for n in (21, 22, 23, 24, 21):
        random = np.random.default_rng(n)
        X = np.column_stack([np.ones(n), random.normal(size=n)])
        coef.append(jaxlogit.fit(X, random.random((20, n)) < 0.5).coef)
        assert len(batch._compiled) <= 3
    np.testing.assert_array_equal(coef[0], coef[-1])  # compiled anew


def test_work_in_a_hurry_has_the_same_results_from_fewer_forms(problem, monkeypatch):
    X, y, _ = problem
    expected = jaxlogit.fit(X, y)
    well = expected.confint()
    monkeypatch.setattr(batch, "_compiled", forms.Forms())
    with forms.hurried():
        many = jaxlogit.fit(X, np.tile(y, (60, 1)))
        made = len(batch._compiled)
        fit = jaxlogit.fit(X, y)  # in a larger form's blocks
        assert len(batch._compiled) == made
        ends = fit.confint()
        made = len(batch._compiled)
    assert {form.options["xla_backend_optimization_level"]
            for form in batch._compiled._forms.values()} == {0}  # fmt: skip
    np.testing.assert_allclose(fit.coef, expected.coef, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_allclose(ends.lower, well.lower, rtol=ROUNDING, atol=ROUNDING)
    np.testing.assert_array_equal(ends.lower_status, well.lower_status)
    np.testing.assert_array_equal(many.coef[:B], fit.coef)
    jaxlogit.fit(X, y)
    assert len(batch._compiled) > made  # what is not in a hurry is compiled well


def test_garbage_is_collected_again_after_a_failure():
    def fails(lane, shared):
        raise RuntimeError(str(gc.isenabled()))

    with pytest.raises(RuntimeError, match="False"):
        batch.run(fails, 2, np.ones(2), np.float64(0), row_elements=1)
    assert gc.isenabled()


def test_few_models_with_little_data_are_compiled_quickly(problem, monkeypatch):
    X, y, _ = problem

    def levels(*data):
        monkeypatch.setattr(batch, "_compiled", forms.Forms())
        jaxlogit.fit(*data)
        options = [form.options for form in batch._compiled._forms.values()]
        return {given.get("xla_backend_optimization_level") for given in options}

    monkeypatch.setattr(batch, "FEW_MODELS", 16)  # whatever the suite has set
    assert levels(X, y[0]) == {0}
    assert levels(X, y) == {None}
    monkeypatch.setattr(batch, "SMALL_WORK", len(X) // 2)
    assert levels(X, y[0]) == {None}


def test_what_is_left_of_many_models_is_compiled_well_once_it_comes_often(problem, monkeypatch):
    X, y, _ = problem
    y = np.concatenate([y, X[None, :, 1] > 0])  # one is separated
    monkeypatch.setattr(batch, "FEW_MODELS", 16)
    monkeypatch.setattr(batch, "QUICK_USES", 4)
    monkeypatch.setattr(batch, "_compiled", forms.Forms())

    def levels():
        jaxlogit.fit(X, y).confint()
        made = batch._compiled._forms.items()
        return {key[0]: form.options.get("xla_backend_optimization_level") for key, form in made}

    first, *_, last = (levels() for _ in range(5))
    left = {task for task, level in first.items() if level == 0}
    assert left and left != set(first)
    assert set(last) == set(first) and not any(level == 0 for level in last.values())
    with forms.hurried(False):
        monkeypatch.setattr(batch, "_compiled", forms.Forms())
        assert not any(level == 0 for level in levels().values())


def test_forms_compiled_well_are_used_while_they_are_kept(monkeypatch):
    """Also when the quick one, which nobody asks for any more, is not."""
    monkeypatch.setattr(forms, "MOST_COMPILED", 2)
    made = forms.Forms()
    quick = made(max, (), (1,), 1)
    well = made(max, (), (1,), 1)
    assert quick.options != well.options
    made(min, (), (1,), 0)  # drives out the quick one
    assert made(max, (), (1,), 1) is well


def test_importing_loads_nothing_that_few_need():
    heavy = (
        "{'scipy.special', 'scipy.stats', 'scipy.optimize', 'optax', 'pandas', 'pyarrow', "
        "'matplotlib'}"
    )
    code = f"import sys, jaxlogit; print({heavy} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


def test_compilations_do_not_depend_on_the_number_of_models(problem, monkeypatch):
    X, y, _ = problem
    many = np.tile(y[jaxlogit.fit(X, y).status == 0], (60, 1))

    def made(count):
        monkeypatch.setattr(batch, "_compiled", forms.Forms())
        jaxlogit.fit(X, many[:count]).confint(method="lr")
        return len(batch._compiled)

    assert made(1000) == made(3000) <= 4


def test_single_precision_is_not_rounded_further(monkeypatch):
    """Accelerators round the factors of products in single precision unless told not to."""
    asked = []
    traced = forms._operations

    def noted(jaxpr):
        for equation in jaxpr.eqns:
            if equation.primitive.name == "dot_general":
                asked.append((equation.invars[0].aval.dtype, equation.params["precision"]))
            for value in jax.tree.leaves(tuple(equation.params.values())):
                inner = getattr(value, "jaxpr", value)
                if hasattr(inner, "eqns"):
                    noted(inner)
        return traced(jaxpr)

    monkeypatch.setattr(forms, "_operations", noted)
    monkeypatch.setattr(batch, "_compiled", forms.Forms())
    random = np.random.default_rng(6)
    X = np.column_stack([np.ones(50), random.normal(size=(50, 2))])
    jaxlogit.fit(X, random.random((20, 50)) < 0.4).confint()
    single = {precision for dtype, precision in asked if dtype == np.float32}
    assert single == {(jax.lax.Precision.HIGHEST, jax.lax.Precision.HIGHEST)}


DEADLOCK = """
import jax, numpy as np
import jax.numpy as jnp
from jaxlogit import batch

def task(lane, shared):
    def step(carry):
        lower = jnp.linalg.cholesky(lane + carry[1] * jnp.eye(9))
        lower = lower + 1e-9 * sum(jnp.linalg.cholesky(lane + k * jnp.eye(9)) for k in range(4))
        halves = jax.scipy.linalg.solve_triangular(lower, jnp.ones((9, 200)), lower=True)
        return carry[0] + 1, 1e-9 * jnp.sum(halves**2)
    return jax.lax.while_loop(lambda carry: carry[0] < 20, step, (0, shared))[1]

root = np.random.default_rng(1).normal(size=(6000, 12, 9))
lanes = np.swapaxes(root, 1, 2) @ root
for _ in range(4):
    batch.run(task, len(lanes), lanes, np.float64(0), row_elements=1, size=512)
"""


def test_blocks_with_lapack_do_not_wait_for_each_other_for_ever():
    subprocess.run(
        [sys.executable, "-c", DEADLOCK], check=True, timeout=600
    )  # takes 10 s, or for ever


def test_lapack_stays_in_its_thread(monkeypatch):
    """Batches that its routines would share among threads are cut, for tasks that have any."""

    monkeypatch.setattr(forms, "SHARED_WORK", 200_000)  # as before jaxlib 0.11.2

    def blocks(p):
        monkeypatch.setattr(batch, "_compiled", forms.Forms())
        random = np.random.default_rng(p)
        X = np.column_stack([np.ones(90), random.normal(size=(90, p - 1))])
        jaxlogit.fit(X, random.random((300, 90)) < 0.5)
        kept = batch._compiled._forms.items()
        assert not any(form.turns is forms.TURNS for _, form in kept)
        assert all(form.ready for _, form in kept)  # none takes the place of another
        return [key[2][0] for key, form in kept]

    assert max(blocks(3)) > 100
    assert max(blocks(30)) <= 200_000 // 30**3  # L⁻¹ for the trace: p right-hand sides


@pytest.mark.parametrize(("shared_work", "most"), [(200_000, 22), (np.inf, np.inf)])
def test_blocks_are_cut_only_where_lapack_shares(monkeypatch, shared_work, most):
    monkeypatch.setattr(forms, "SHARED_WORK", shared_work)
    form = forms.Form(_factors, (), hurried=True)
    form.prepare(np.broadcast_to(np.eye(30), (300, 30, 30)), np.float64(2))  # 30³/3 = 9,000 each
    assert form.most == most


@pytest.mark.parametrize("count", [2, 38, 10_000])
def test_careful_searches_have_small_blocks(count):
    """A few left of many would be padded to hundreds, and a slow one would hold up all."""
    assert batch.block_size(count, 700, True, careful=True) == batch.CAREFUL_BLOCK
    assert batch.block_size(count, 10_000_000, True, careful=True) == 1  # memory goes first
    assert batch.block_size(1, 700, careful=True) == 1


def test_one_model_with_a_large_batch_takes_turns(monkeypatch):
    monkeypatch.setattr(forms, "SHARED_WORK", 200_000)
    monkeypatch.setattr(batch, "_compiled", forms.Forms())
    lanes = np.broadcast_to(np.eye(30), (3, 40, 30, 30)).copy()  # 40 · 30³/3 = 360,000
    found = batch.run(_factors, 3, lanes, np.float64(2), row_elements=1)
    np.testing.assert_array_equal(found, np.sqrt(2.0) * lanes)
    (form,) = (form for form in batch._compiled._forms.values() if form.ready)
    assert form.turns is forms.TURNS


def _factors(lane, shared):
    return jnp.linalg.cholesky(shared * lane)


def test_blocks_have_windows_where_enough_blocks_are_left():
    """One or four: each other number would be a program more; none where all is compiled fast."""
    assert batch.windows(batch.LEAST_BLOCKS * batch.WINDOWS * 20, 20) == batch.WINDOWS
    assert batch.windows(batch.LEAST_BLOCKS * batch.WINDOWS * 20 - 1, 20) == 1
    with forms.hurried():
        assert batch.windows(10_000, 20) == 0


def test_models_with_designs_of_their_own_have_no_windows(monkeypatch):
    """Their blocks stay as long as the cache likes."""
    sizes = {}
    original = batch.run

    def run(task, *args, size=None, **options):
        sizes.setdefault(options.get("width"), size)
        return original(task, *args, size=size, **options)

    monkeypatch.setattr(batch, "run", run)
    random = np.random.default_rng(5)
    design, y = random.normal(size=(600, 150, 2)), random.random((600, 150)) < 0.5
    for X in (design, design[0]):
        fit = jaxlogit.fit(X, y)
        sizes.clear()
        fit.confint()
        (width,) = (key for key, size in sizes.items() if size is not None)
        assert (width is None) == (X.ndim == 3)
