"""Newton's method for one model, free or under linear constraints, with a certificate.

The certificate. The logistic log-likelihood l is concave and its curvature changes slowly:
along β + tv, |d/dt log v'I(β + tv)v| ≤ max_i |x_i'v| (each row's mu(1 − mu) changes at most
e-fold while its eta moves by 1). Write δ = ‖step‖_I for the Newton decrement at β and
R = max_i ‖x_i‖ in the norm of I⁻¹, so that |x_i'v| ≤ R for every v of I-length 1. On a ray
from β the derivative of −l is at least −δ + (1 − e^{−Rt})/R, which turns positive at a
finite t whenever Rδ < 1. Hence **Rδ < 1 proves that a finite maximum exists** (no
separation), within −log(1 − Rδ)/R standard errors of β, and one more full step leaves an
error of about Rδ²/2 standard errors. Under separation Rδ stays at or above 1, although δ
itself, and with it every gain in l, falls e-fold per step and passes any tolerance.
Where the score's own curvature along the step is at hand, Chebyshev's correction
c = I⁻¹U''[s, s]/2, at most Rδ²/2 long, makes the last step one of third order: what is left
of the score is U''[s, c] ≤ R²δ³/2 and a sixth of its third derivative along s, ≤ R²δ³/6 since
the fourth derivative of a row's term is at most its second; together less than R²δ³.
Compare Bach (2010), Electronic Journal of Statistics 4:384–414, section 2
(doi:10.1214/09-EJS521). R is bounded by the longest row times sqrt(trace I⁻¹).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxlogit.core import linalg
from jaxlogit.core.kinds import Array
from jaxlogit.core.likelihood import Evaluation
from jaxlogit.core.status import Status

ERROR_LIMIT = 1e-11  # standard errors left after the last step: below every promise made
PROOF_LIMIT = 0.1  # largest Rδ taken as proof of a maximum; in exact arithmetic 1 would do
FLAT = 1e-13  # squared decrement under which l cannot rise by a visible amount
NEAR = 1e-5  # squared decrement after which a step leaves about R/2 millionths of an error
QUITE_NEAR = 2e-4  # the same where the next step, in double precision, is one of third order
VERY_NEAR = 1e-8  # the same where steps shrink by a factor only, and one in double is to do
SLACK = 1e-10  # of a log-likelihood: rounding makes equal ones differ by less
SINGLE_ERROR, SINGLE_FLAT, SINGLE_SLACK = 1e-6, 1e-5, 1e-5  # what rounding leaves in float32
LONGEST_MOVE = 40.0  # of any linear predictor in one safeguarded step
MAX_HALVINGS = 40
RUNNING = -1
SLOWEST = 0.9  # shrinking of steps that is still taken as convergence


class Limits(NamedTuple):
    """`ERROR_LIMIT`, `FLAT` and `SLACK` of one precision."""

    error: float
    flat: float
    slack: float


def limits(dtype) -> Limits:
    """What a search can reach in numbers of this type."""
    if jnp.finfo(dtype).bits < 64:
        return Limits(SINGLE_ERROR, SINGLE_FLAT, SINGLE_SLACK)
    return Limits(ERROR_LIMIT, FLAT, SLACK)


class Scale(NamedTuple):
    """How far a step in coefficients can move a row, and how exact a score can be.

    Without a reach (a log-likelihood that is not logistic) R is taken as 1: searches end by
    the size of the decrement, and nothing is proved.
    """

    reach: Array | None = None
    """() longest row of X among rows that count."""
    score_error: Array | None = None
    """() size of the rounding error of the score's length."""
    design: Array | None = None
    """(n, p) rows, for the exact R of a careful search; None: R from `reach`."""
    total: Array | None = None
    """(n,) case totals that go with `design`; None where all are 1."""
    slow: Array | None = None
    """() present where the curvature is not exact, so that steps shrink by a factor only: the
    error left is then that of a geometric series, by the factor last seen. It is the length of
    the step before a search began; inf where there was none."""


class Search(NamedTuple):
    """Where a search stands. Everything has p entries at most: `vmap` selects each one."""

    coef: Array
    origin: Array
    origin_loglik: Array
    step: Array
    decrement: Array
    proof: Array
    n_halvings: Array
    status: Array
    n_steps: Array


def start_search(coef) -> Search:
    """A search that begins at β."""
    dtype = coef.dtype
    return Search(
        coef=coef,
        origin=coef,
        origin_loglik=jnp.asarray(-jnp.inf, dtype),
        step=jnp.zeros_like(coef),
        decrement=jnp.asarray(jnp.inf, dtype),
        proof=jnp.asarray(jnp.inf, dtype),
        n_halvings=jnp.int32(0),
        status=jnp.int32(RUNNING),
        n_steps=jnp.int32(0),
    )


def curvature_reach(factor: linalg.Factor, scale: Scale, spread: Array | None = None):
    """R, and R times the rounding error of a decrement; `spread` is trace I⁻¹ if known."""
    if scale.reach is None or scale.score_error is None:
        return 1.0, 0.0
    if scale.design is not None and not factor.unrolled:
        halves = jax.scipy.linalg.solve_triangular(factor.lower, scale.design.T, lower=True)
        lengths = jnp.linalg.norm(halves, axis=0)
        total = jnp.ones_like(lengths) if scale.total is None else scale.total
        longest = jnp.max(jnp.where(total > 0, lengths, 0.0))
        return longest, longest * jnp.finfo(lengths.dtype).eps * (total @ lengths)
    size = jnp.sqrt(linalg.trace_inverse(factor) if spread is None else spread)
    reach = scale.reach * size
    return reach, reach * size * scale.score_error


def series_rest(length, before, noise):
    """What is left after a step when steps shrink by the factor last seen.

    `noise` is the length that rounding alone gives a step: below it nothing shrinks.
    """
    smallest = jnp.finfo(length.dtype).tiny  # a search may stand still, or begin at its end
    factor = jnp.minimum(length / jnp.maximum(before, smallest), SLOWEST)
    factor = jnp.where(jnp.isfinite(before), factor, SLOWEST)
    return jnp.maximum(length * factor / (1.0 - factor) - 10.0 * noise, 0.0)


def newton_step(factor: linalg.Factor, gap: Array | None = None):
    """The Newton step and its squared decrement, from a factor made with the score U.

    Where it was made with the rows of a constraint C (q, p) too, the step ends on Cβ = b, with
    the gap b − Cβ (q,):
    H⁻¹U − H⁻¹C'ν with (C H⁻¹C')ν = C H⁻¹U − gap; its squared length is the nuisance
    decrement where β is feasible (gap 0).
    """
    half, *halves = factor.halves
    if gap is None:
        return linalg.back_solve(factor, half), linalg.dot(half, half)
    inner = jnp.stack([jnp.stack([linalg.dot(a, b) for b in halves]) for a in halves])
    excess = jnp.stack([linalg.dot(a, half) for a in halves]) - gap
    multiplier = linalg.solve(linalg.small_factor(inner), excess)
    free = half
    for i, column in enumerate(halves):
        free = _axpy(-multiplier[i], column, free)
    step = linalg.back_solve(factor, free)
    return step, linalg.dot(free, free)


def _gap(constraint, null, coef):
    """b − Cβ, (q,); None without a constraint."""
    if constraint is None or null is None:
        return None
    return null - linalg.rows_dot(constraint, coef)


def _axpy(scalar, a, b):
    if isinstance(a, list):
        return [scalar * x + y for x, y in zip(a, b, strict=True)]
    return scalar * a + b


def newton(
    evaluate: Callable[[Array], Evaluation],
    search: Search,
    scale: Scale,
    max_steps,
    *,
    constraint=None,
    null=None,
    bend: Callable[[Array, Array], Array] | None = None,
    halving: bool,
    height: bool = False,
    loop: Callable[..., Any] = jax.lax.while_loop,
) -> Search:
    """Maximise a log-likelihood from `search.coef`, which must satisfy the constraint.

    Parameters
    ----------
    evaluate : callable
        β (p,) to log-likelihood, score and packed information.
    max_steps : int
        Largest number of evaluations.
    constraint, null : (q, p) and (q,) arrays, optional
        Maximise under C β = b; not together with `bend`.
    bend : callable, optional
        β and a step s to the second derivative of the score along s, (p,): the steps are
        then of third order.
    halving : bool
        Go back half the way whenever the log-likelihood fell. Without it the
        log-likelihood is not computed and every step is taken whole: safe all the same,
        since only the certificate ends a search as converged.
    height : bool
        The log-likelihood at the maximum is wanted, as `origin_loglik`, and the place need not be
        exact: its error enters squared.
    loop : callable
        What goes from step to step, with the arguments of `jax.lax.while_loop`.

    Returns
    -------
    Search
        Status CONVERGED with its proof; `RUNNING` where neither a maximum was certified nor
        the search failed (with a flat log-likelihood: separation, `step` its direction).
    """
    p = search.coef.shape[0]
    limit = limits(search.coef.dtype)
    rows = () if constraint is None else tuple(constraint)

    def unfinished(state: Search):
        return (state.status == RUNNING) & (state.n_steps < max_steps) & ~is_flat(state)

    def advance(state: Search) -> Search:
        at = evaluate(state.coef)
        factor = linalg.cholesky(at.information, p, at.score, *rows)
        gap = _gap(constraint, null, state.coef)
        step, squared = newton_step(factor, gap)
        reach, noise = curvature_reach(factor, scale, at.spread)
        proof = reach * jnp.sqrt(squared) + noise
        usable = jnp.isfinite(squared) & (factor.smallest_pivot > 0)
        error = reach * squared
        if bend is not None:
            error = error * reach * jnp.sqrt(squared)
        if scale.slow is not None:  # a tenth: 1e-10 is exact enough where every step is dear
            before = jnp.where(state.n_steps == 0, scale.slow, jnp.sqrt(state.decrement))
            error = series_rest(jnp.sqrt(squared), before, noise / reach)
            error = error * error if height else 0.1 * error
        converged = usable & (proof < PROOF_LIMIT) & (error < limit.error)
        if scale.reach is None:  # nothing proved: at least the search must have come to rest
            still = 1e-6 * (1.0 + jnp.max(jnp.abs(state.coef)))
            converged = converged & (jnp.max(jnp.abs(step)) < still)
        if bend is not None:
            correction = linalg.solve(factor, 0.5 * bend(state.coef, step))
            step = step + correction
        status = jnp.where(converged, jnp.int32(Status.CONVERGED), jnp.int32(RUNNING))
        if halving and scale.reach is not None:
            # A nearly singular information can throw a search out of the numbers' range.
            longest = scale.reach * jnp.linalg.norm(step)
            step = step * jnp.minimum(1.0, LONGEST_MOVE / longest)
        moved = state._replace(
            coef=state.coef + step,
            decrement=squared,
            proof=proof,
            status=status,
            n_steps=state.n_steps + 1,
        )
        if not halving:  # what it does not need stays constant, and costs the loop nothing
            failed = jnp.int32(Status.STEP_HALVING_FAILED)
            if height:  # what the quadratic model adds is exact to the third order of the step
                moved = moved._replace(origin_loglik=at.loglik + 0.5 * squared)
            return moved._replace(status=jnp.where(usable, status, failed))
        moved = moved._replace(
            origin=state.coef, origin_loglik=at.loglik, step=step, n_halvings=jnp.int32(0)
        )
        # Rounding makes equal log-likelihoods differ; a step that goes wrong loses far more.
        slack = limit.slack * (1.0 + jnp.abs(state.origin_loglik))
        fell = ~(at.loglik >= state.origin_loglik - jnp.where(jnp.isfinite(slack), slack, 0.0))
        return _select(fell | ~usable, _go_back(state), moved)

    return loop(unfinished, advance, search)


def approach(
    evaluate: Callable[[Array], Evaluation], start, max_steps, *,
    constraint=None, null=None, near=NEAR, share: Callable[[Array], Array] | None = None,
    loop: Callable[..., Any] = jax.lax.while_loop,
):  # fmt: skip
    """Plain Newton steps from a start (p,), until the next would be a rounding error long.

    For likelihoods in single precision: it proves nothing, it only gets near. A search that
    leaves the numbers' range gives its start back. `share` says how much of a step to take.

    Returns
    -------
    coef : (p,) array
    n_steps : () int32
    length : () array
        Of the last step, in standard errors; inf where it gave its start back.
    """
    p = start.shape[0]
    rows = () if constraint is None else tuple(constraint)

    def unfinished(state):
        _, squared, n_steps = state
        return (squared > near) & (n_steps < max_steps)

    def advance(state):
        coef, _, n_steps = state
        at = evaluate(coef)
        gap = _gap(constraint, null, coef)
        factor = linalg.cholesky(at.information, p, at.score, *rows)
        step, squared = newton_step(factor, gap)
        if share is not None:
            step = share(step) * step
        return coef + step, squared, n_steps + 1

    begin = (start, jnp.asarray(jnp.inf, start.dtype), jnp.int32(0))
    coef, squared, n_steps = loop(unfinished, advance, begin)
    arrived = jnp.all(jnp.isfinite(coef))
    length = jnp.where(arrived, jnp.sqrt(squared), jnp.inf)
    return jnp.where(arrived, coef, start), n_steps, length


def is_flat(state: Search):
    """No visible gain left, and no proof of a maximum: the mark of separation."""
    unproved = state.status == RUNNING
    return (
        unproved & (state.decrement < limits(state.coef.dtype).flat) & (state.proof > PROOF_LIMIT)
    )


def _go_back(state: Search) -> Search:
    given_up = state.n_halvings >= MAX_HALVINGS
    status = jnp.where(given_up, jnp.int32(Status.STEP_HALVING_FAILED), state.status)
    return state._replace(
        coef=0.5 * (state.origin + state.coef),
        n_halvings=state.n_halvings + 1,
        n_steps=state.n_steps + 1,
        status=status,
    )


def _select(condition, if_true: Search, if_false: Search) -> Search:
    return jax.tree.map(lambda a, b: jnp.where(condition, a, b), if_true, if_false)
