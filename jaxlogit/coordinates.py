"""Checked data of many models as the core takes them: what is shared prepared once for all."""

from dataclasses import replace

import numpy as np

from jaxlogit import memory
from jaxlogit.core import linalg
from jaxlogit.core.status import Status
from jaxlogit.core.working import Arrays, shared_coordinates
from jaxlogit.data import Models
from jaxlogit.solution import FEW, Solution

MOST_ABSENT = 1 << 13  # rows whose log 2 may be taken back from l without losing digits
TRANSPOSED = 1 << 12  # rows at a time
MOST_PRODUCTS = 1 << 26  # numbers in the column products of a shared X: half a gigabyte


def arrange(
    models: Models, prior: tuple[np.ndarray, np.ndarray] | None = None
) -> tuple[Arrays, Arrays | None]:
    """What models have of their own, and what they share, in working coordinates where it can be.

    `prior` has means and precisions (p,) of normal priors, which count as rows where the rank of
    a design is in question. None in place of the shared arrays where a shared design has not full
    column rank.
    """
    if prior is not None and models.own is not None:
        # Shared columns and an own one are judged one after the other: the prior's rows, which
        # make up for either, belong to the whole design.
        models = _whole_designs(models)
    lanes, shared = models.split()
    if prior is not None:
        shared = shared._replace(prior_mean=prior[0], prior_precision=prior[1])
    embedding = np.eye(models.design.shape[-1])
    if lanes.own is not None:
        embedding = np.insert(embedding, models.place, 0.0, axis=0)
        shared = shared._replace(transform=embedding, place=np.eye(models.n_terms)[models.place])
    if shared.design is None:
        return lanes._replace(present=_presence(lanes, shared)), shared
    if lanes.own is not None and models.ragged:
        return lanes, shared
    design = _used_rows(models)
    n = len(design)
    if prior is not None:
        design = np.concatenate([design, np.diag(np.sqrt(prior[1]))])
    coordinates = shared_coordinates(design)
    if coordinates is None:
        return lanes, None
    design, transform = coordinates
    design = np.ascontiguousarray(design[:n])
    products = None
    size = linalg.packed_size(design.shape[1]) * len(design)
    if linalg.unrolls(models.n_terms) and models.n_models > FEW and size < MOST_PRODUCTS:
        products = linalg.column_products(design)
    shared = shared._replace(
        design=design,
        transform=embedding @ transform,
        products=products,
        columns=_transposed(design),
    )
    return lanes, shared


def _transposed(design: np.ndarray) -> np.ndarray:
    """X' by columns: a few rows at a time, so that a long X is read and written in cache."""
    columns = np.empty(design.shape[::-1])
    for start in range(0, len(design), TRANSPOSED):
        columns[:, start : start + TRANSPOSED] = design[start : start + TRANSPOSED].T
    return columns


def _presence(lanes: Arrays, shared: Arrays) -> np.ndarray | None:
    """Which rows models have, (B, n), where their weights say just that."""
    weights = lanes.weights
    if weights is None or lanes.trials is not None or shared.trials is not None:
        return None
    if weights.shape[-1] > MOST_ABSENT or not np.all((weights == 0) | (weights == 1)):
        return None
    return weights != 0


def _whole_designs(models: Models) -> Models:
    """The models with a design for each, their own column in its place."""
    own, p = models.own, models.n_terms
    assert own is not None
    memory.demand(8 * own.size * p, f"designs of {models.n_models:,} models")
    design = np.empty((*own.shape, p))
    design[..., np.arange(p) != models.place] = models.design
    design[..., models.place] = own
    return replace(models, design=design, own=None)


def unfold(models: Models, solution: Solution, which: np.ndarray | None) -> Solution:
    """The solution on the models' own rows, with a place for each of them; `which` as in `Fit`.

    Alike rows and models, fitted once, are apart again: what follows may tell them apart. Their
    penalty stays. The same solution where nothing was taken together.
    """
    if which is None and solution.n_rows == models.n_rows:
        return solution
    every = solution.take(slice(None) if which is None else which)
    every = replace(every, part=solution.part, suprema=every.loglik)
    before, old = solution.shared.transform, solution.shared
    prior = None
    if old.prior_mean is not None and old.prior_precision is not None:
        prior = (np.asarray(old.prior_mean), np.asarray(old.prior_precision))
    lanes, shared = arrange(models, prior)
    if shared is None or shared.transform is None or before is None:
        nothing = np.full(len(every.status), int(Status.RANK_DEFICIENT), np.int32)
        return replace(every, lanes=lanes, shared=models.split()[1], status=nothing)
    change = np.linalg.solve(shared.transform, before)
    shared = shared._replace(strength=old.strength, augmented=old.augmented)
    return replace(
        every,
        lanes=lanes,
        shared=shared,
        coef=every.coef @ change.T,
        direction=every.direction @ change.T,
    )


def _used_rows(models: Models) -> np.ndarray:
    """The shared design with the rows that no model counts set to 0: they may hold anything."""
    design = models.design
    for counts in (models.weights, models.trials):
        if counts is not None:
            unused = counts == 0 if counts.ndim == 1 else np.all(counts == 0, axis=0)
            design = np.where(unused[:, None], 0.0, design) if np.any(unused) else design
    return design
