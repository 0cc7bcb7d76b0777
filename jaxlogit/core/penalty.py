"""The log-likelihood with a penalty: Firth's, or normal priors of the coefficients.

Firth's penalty is the logarithm of Jeffreys's prior, l*(β) = l(β) + τ·log|I(β)| with τ = 1/2,
where I is the information of the full design, also under restrictions. With W = k·mu(1 − mu),
c_i = x_i'I⁻¹x_i and the leverages h = W c,

    U*(β) = U(β) + τ X'(W' c),                         W' = W(1 − 2mu),
    −∂²l* = I − τ X'diag(W'' c)X + τ [tr(I⁻¹ ∂_jI I⁻¹ ∂_kI)]_jk,

so that grouped and ungrouped rows give the same. The row terms' derivatives come from autodiff.
The curvature is computed where a search needs it exact, and otherwise once near the maximum: what
it adds to I changes little from there to the ends of an interval. Where it is not positive
definite (l* need not be concave) the information of the data augmented by pseudo-cases,
X'diag{w(k + 2τh)}X with w = mu(1 − mu), takes its place: it always leads uphill.
Sources: Firth (1993), Biometrika 80:27–38, doi:10.1093/biomet/80.1.27; Heinze and Schemper
(2002), Statistics in Medicine 21:2409–2419, doi:10.1002/sim.1047.
"""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from jaxlogit.core import likelihood, linalg
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import (
    Evaluation,
    Prior,
    Rows,
    across,
    columns,
    leverages,
    linear_predictor,
    row_derivatives,
    row_higher_derivatives,
    weigh,
)
from jaxlogit.core.traced import traced

LEAST_PIVOT = 1e-3  # of the curvature: nearer to singular its steps lead too far


@traced("unroll")
def evaluate(rows: Rows, coef, *, unroll: bool = True) -> Evaluation:
    """Penalised log-likelihood, score and curvature at β; as `likelihood.evaluate` without one."""
    at = likelihood.evaluate(rows, coef, unroll=unroll)
    if rows.prior is not None:
        at = _with_prior(rows, coef, at)
    if rows.jeffreys is None:
        return at
    value, score, inverse = _jeffreys(rows, coef, at)
    packed = at.information.ndim == 1
    if rows.jeffreys.correction is not None:
        kept = rows.jeffreys.correction
        added = kept if packed else linalg.unpack(kept, len(coef))
        spread = linalg.trace(inverse, len(coef))
        return Evaluation(value, score, at.information + added, at.information, spread)
    exact = curvature(rows, coef, unroll=packed)
    exact = linalg.pack(exact) if packed else exact
    safe = _augmented(rows, coef, inverse)
    definite = linalg.cholesky(exact, len(coef)).smallest_pivot > LEAST_PIVOT
    return Evaluation(value, score, jnp.where(definite, exact, safe), at.information)


def loglik(rows: Rows, coef):
    """The penalised log-likelihood at β, ()."""
    if rows.jeffreys is None and rows.prior is None:
        return likelihood.loglik(rows, coef)
    return evaluate(rows, coef, unroll=False).loglik


@traced("unroll")
def evaluate_augmented(rows: Rows, coef, *, unroll: bool = True) -> Evaluation:
    """As `evaluate` under Firth's penalty, with the augmented information for curvature."""
    at = likelihood.evaluate(rows, coef, unroll=unroll)
    value, score, inverse = _jeffreys(rows, coef, at)
    return Evaluation(value, score, _augmented(rows, coef, inverse), at.information)


def evaluator(rows: Rows, constraint) -> Callable[[Array], Evaluation]:
    """`evaluate` for searches under Cβ = b, C (q, p): only curvature within the constraint counts.

    l* may be convex across the constraint where it is concave within.
    """
    jeffreys = rows.jeffreys
    if jeffreys is None or jeffreys.correction is not None:
        return partial(evaluate, rows, unroll=False)

    def at(coef) -> Evaluation:
        found = evaluate(rows, coef, unroll=False)
        lifted, pivot = _lift(curvature(rows, coef, unroll=False), constraint)
        information = jnp.where(pivot > LEAST_PIVOT, lifted, found.information)
        return found._replace(information=information)

    return at


def _lift(curvature, constraint):
    """A curvature H (p, p) with C'SC added, and its smallest pivot within the constraint C (q, p).

    Searches under Cβ = b have the same steps for every symmetric S. With a the curvature within
    and b what couples it to unit vectors v across the constraint, this one leaves
    v'Hv = d + b'a⁻¹b for all v, d well above 0: positive definite wherever a is, however flat.
    """
    inner, across_it = within(curvature, constraint), projection(constraint)
    factor = linalg.cholesky(inner, len(inner))
    coupling = curvature @ across_it
    coupling = coupling - across_it @ coupling
    led = jax.scipy.linalg.cho_solve((factor.lower, True), coupling)
    more = jnp.sum(led**2) * jnp.trace(inner) / len(inner)
    lifted = inner + coupling + coupling.T + coupling.T @ led + more * across_it
    return lifted, factor.smallest_pivot


def within(curvature, constraint):
    """A curvature H (p, p) within a constraint C (q, p): (1 − P)H(1 − P) + sP, s of the size of H.

    P projects on the rows of C. Positive definite where H is for all directions that leave Cβ = b.
    """
    across_it, p = projection(constraint), len(curvature)
    rest = jnp.eye(p, dtype=curvature.dtype) - across_it
    return rest @ curvature @ rest + jnp.abs(jnp.trace(curvature)) / p * across_it


def projection(constraint):
    """The projection (p, p) on the rows of a constraint C (q, p)."""
    inner = linalg.small_factor(constraint @ constraint.T)
    return constraint.T @ linalg.inverse(inner, len(constraint)) @ constraint


@traced("unroll")
def curvature(rows: Rows, coef, *, unroll: bool = True):
    """−∂²l* at β under Firth's penalty, (p, p)."""
    assert rows.jeffreys is not None
    p = coef.shape[0]
    at = likelihood.evaluate(rows, coef, unroll=unroll)
    inverse = linalg.packed_inverse(linalg.cholesky(at.information, p), p)
    third, fourth = row_higher_derivatives(linear_predictor(rows, coef))
    if rows.total is not None:
        third, fourth = rows.total * third, rows.total * fourth
    bent = weigh(rows, fourth * leverages(rows, inverse), packed=unroll and linalg.unrolls(p))

    def derivative(column):
        return _full(weigh(rows, third * column, packed=rows.products is not None), p)

    # ∂_jI and I⁻¹∂_jI for all j: the trace of a product is a sum over both matrices.
    shares = jnp.einsum("ab,jbc->jac", _full(inverse, p), jax.vmap(derivative)(columns(rows)))
    trace = jnp.einsum("jac,kca->jk", shares, shares)
    strength = rows.jeffreys.strength
    return _full(at.information, p) + strength * (trace - _full(bent, p))


def _full(matrix, p: int):
    return linalg.unpack(matrix, p) if matrix.ndim == 1 else matrix


def correction(rows: Rows, coef, *, unroll: bool = True):
    """What Firth's penalty adds to the information at β, packed, (p(p+1)/2,)."""
    information = likelihood.evaluate(rows, coef, unroll=unroll).information
    exact = linalg.pack(curvature(rows, coef, unroll=unroll))
    return exact - (information if information.ndim == 1 else linalg.pack(information))


def wald_information(rows: Rows, coef, *, unroll: bool = True):
    """The information of standard errors: Fisher's, or the augmented one where that is asked for.

    Under Firth's penalty Fisher's is the inverse of the estimator's covariance to first order.
    """
    at = evaluate_plainly(rows, coef, unroll=unroll)
    if rows.jeffreys is None or rows.jeffreys.augmented is None:
        return at.information
    return _augmented(rows, coef, _jeffreys(rows, coef, at)[2])


def evaluate_plainly(rows: Rows, coef, *, unroll: bool = True) -> Evaluation:
    """As `evaluate` without Firth's penalty: its information is Fisher's (and the prior's)."""
    return evaluate(rows._replace(jeffreys=None), coef, unroll=unroll)


def _jeffreys(rows: Rows, coef, at: Evaluation):
    """l*, U* and I⁻¹ (packed as I is)."""
    assert rows.jeffreys is not None
    strength, p = rows.jeffreys.strength, coef.shape[0]
    factor = linalg.cholesky(at.information, p)
    inverse = linalg.packed_inverse(factor, p)
    mu, weights = row_derivatives(linear_predictor(rows, coef))
    # X'(s − k·mu + τW'c) in one product; W' = W(1 − 2mu), as autodiff has it in the tests.
    bend = strength * weights * (1.0 - 2.0 * mu) * leverages(rows, inverse)
    pull = bend - mu
    pull = pull if rows.total is None else rows.total * pull
    score = rows.score_total + across(rows, pull)
    return at.loglik + strength * linalg.log_determinant(factor), score, inverse


def _augmented(rows: Rows, coef, inverse):
    """X'diag{w(k + 2τh)}X: a row has k cases and, by its leverage h, 2τh pseudo-cases."""
    assert rows.jeffreys is not None
    _, one_case = row_derivatives(linear_predictor(rows, coef))
    cases = jnp.ones_like(one_case) if rows.total is None else rows.total
    leverage = cases * one_case * leverages(rows, inverse)
    cases = cases + 2.0 * rows.jeffreys.strength * leverage
    return weigh(rows, cases * one_case, inverse.ndim == 1)


def prior_information(prior: Prior):
    """T'diag(precision)T, (p, p)."""
    return (prior.transform * prior.precision[:, None]).T @ prior.transform


def _with_prior(rows: Rows, coef, at: Evaluation) -> Evaluation:
    """−½ Σ precision·(Tβ − mean)² added."""
    assert rows.prior is not None
    transform, mean, precision = rows.prior
    gap = transform @ coef - mean
    pull = precision * gap
    added = prior_information(rows.prior)
    added = linalg.pack(added) if at.information.ndim == 1 else added
    return at._replace(
        loglik=at.loglik - 0.5 * pull @ gap,
        score=at.score - transform.T @ pull,
        information=at.information + added,
    )
