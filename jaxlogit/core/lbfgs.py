"""L-BFGS for one model: a search by scores alone, for designs with many columns.

Nothing of size p × p is formed on the way. In working coordinates the information is near a
multiple of the identity, so that the search needs few steps. At the end the information is
computed once, for the certificate and one Newton step (see `newton`).
Source: Liu and Nocedal (1989), Mathematical Programming 45:503–528, doi:10.1007/BF01589116;
optax's implementation with its zoom line search.
"""

import jax
import jax.numpy as jnp

from jaxlogit.core import linalg
from jaxlogit.core.likelihood import Rows
from jaxlogit.core.newton import (
    PROOF_LIMIT,
    RUNNING,
    Scale,
    Search,
    curvature_reach,
    newton_step,
    start_search,
)
from jaxlogit.core.penalty import evaluate, loglik
from jaxlogit.core.status import Status

MEMORY = 10  # pairs of steps and score differences kept, optax's and most others' default
SCORE_LIMIT = 1e-6  # of the length that a score has by chance, sqrt(n)/2: the search's end
ERROR_LIMIT = 1e-8  # standard errors left after the Newton step at the end


def lbfgs(rows: Rows, start, scale: Scale, max_steps) -> Search:
    """Maximise the logistic log-likelihood from β (p,) by L-BFGS; see `newton` for the result."""
    # optax mixes integer types: allowed here also for callers who forbid it elsewhere.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        coef, n_steps = _descend(rows, start, max_steps)
    return _finish(rows, coef, n_steps, scale)


def _descend(rows: Rows, start, max_steps):
    import optax  # 0.1 s that Newton steps need not wait for

    optimiser = optax.lbfgs(memory_size=MEMORY)
    limit = SCORE_LIMIT * 0.5 * jnp.sqrt(jnp.asarray(rows.design.shape[0], start.dtype))

    def loss(coef):
        return -loglik(rows, coef)

    value_and_grad = optax.value_and_grad_from_state(loss)

    def unfinished(carry):
        _, _, gradient_length, step = carry
        return (gradient_length > limit) & (step < max_steps)

    def advance(carry):
        coef, state, _, step = carry
        value, gradient = value_and_grad(coef, state=state)
        updates, state = optimiser.update(
            gradient, state, coef, value=value, grad=gradient, value_fn=loss
        )
        coef = optax.apply_updates(coef, updates)
        length = jnp.linalg.norm(optax.tree.get(state, "grad"))
        return coef, state, length, step + 1

    infinite = jnp.asarray(jnp.inf, start.dtype)
    carry = (start, optimiser.init(start), infinite, jnp.int32(0))
    coef, _, _, n_steps = jax.lax.while_loop(unfinished, advance, carry)
    return coef, n_steps


def _finish(rows: Rows, coef, n_steps, scale: Scale) -> Search:
    """One Newton step with the information at the end, and its certificate."""
    at = evaluate(rows, coef, unroll=False)
    factor = linalg.cholesky(at.information, len(coef), at.score)
    step, squared = newton_step(factor)
    reach, noise = curvature_reach(factor, scale)
    proof = reach * jnp.sqrt(squared) + noise
    good = (factor.smallest_pivot > 0) & (proof < PROOF_LIMIT) & (reach * squared < ERROR_LIMIT)
    status = jnp.where(good, jnp.int32(Status.CONVERGED), jnp.int32(RUNNING))
    end = jnp.where(good, coef + step, coef)
    return start_search(end)._replace(
        step=step, decrement=squared, proof=proof, status=status, n_steps=n_steps
    )
