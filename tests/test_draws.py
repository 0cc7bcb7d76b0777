"""What replicates draw, under JAX's strictest settings, which are the suite's."""

import numpy as np
import pytest

import jaxlogit as jl
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
