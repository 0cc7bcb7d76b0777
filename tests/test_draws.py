"""What replicates draw under JAX's strictest settings, the suite's, and their outermost ends."""

import numpy as np
import pytest

import jaxlogit as jl
from jaxlogit.resampling import kinds
from jaxlogit.resampling.scheme import SCHEMES

X = np.column_stack([np.ones(12), np.arange(12.0) % 5])
Y = np.array([0, 1, 0, 1, 1, 0, 0, 1, 0, 1, 0, 1.0])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_draws_where_types_are_never_promoted(scheme):
    boot = jl.bootstrap(X, Y, replicates=20, scheme=scheme)
    assert boot.coef.shape == (12 if scheme == "jackknife" else 20, 2)


def test_a_jackknife_leaves_out_its_unit():
    boot = jl.bootstrap(X, Y, scheme="jackknife")
    others = np.arange(12) != 3
    np.testing.assert_allclose(boot.coef[3], jl.fit(X[others], Y[others]).coef, rtol=1e-9)
    np.testing.assert_array_equal(boot.replay(3).weights, others)


def test_bca_past_its_pole_stays_on_its_side():
    """1 − a·w < 0 would turn the upper end into the least replicate."""
    t = np.linspace(-1.0, 0.0, 400_000)[:, None]
    centre = np.array([t[-2, 0] + 1e-9])  # z0 above 4
    found = kinds.ends(t, centre, 0.99, "bca", acceleration=np.array([1 / 6]))
    assert found.value[1, 0] == t[-1, 0] and found.extreme[1, 0]
