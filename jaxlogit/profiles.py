"""Profiles of one contrast and joint regions of two, for many models."""

from typing import NamedTuple

import numpy as np

from jaxlogit import careful, hills, hypotheses, intervals
from jaxlogit.core import profiles as core_profiles
from jaxlogit.core import tails
from jaxlogit.core.profiles import Point
from jaxlogit.core.status import Status
from jaxlogit.covariances import covariances
from jaxlogit.separated import overlapping, settled_alone, unbounded
from jaxlogit.solution import Solution

SIDE_POINTS = 20
GRID_POINTS = 2 * SIDE_POINTS + 1
GRID_LEVEL = 0.999
UNBOUNDED_SPAN = 10.0  # half width of a grid whose both ends are infinite, in log-odds per unit
OFF_AXES = 1 / 3  # of a step: no number of points then has an angle of 0, 90, 180 or 270 degrees
QUICK_STEPS = 8  # points of a path take 1 or 2, those of a boundary 3 to 5


class Path(NamedTuple):
    """Points along a contrast's profile, as `results.Profile` has them, for every model."""

    value: np.ndarray
    loglik: np.ndarray
    signed_root: np.ndarray
    coef: np.ndarray
    status: np.ndarray

    @classmethod
    def empty(cls, status: np.ndarray, p: int) -> "Path":
        """Nothing but nan, with each model's status."""
        shape = (len(status), GRID_POINTS)
        value, loglik, root = (np.full(shape, np.nan) for _ in range(3))
        codes = np.broadcast_to(status[:, None], shape).astype(np.int32)
        return cls(value, loglik, root, np.full((*shape, p), np.nan), codes)

    def enter(self, index: np.ndarray, part: "Path") -> None:
        """Put these models' points in their place."""
        for whole, field in zip(self, part, strict=True):
            whole[index] = field


def find(solution: Solution, contrast: np.ndarray, grid: np.ndarray | None, p: int) -> Path:
    """The profile on a grid or at points of its own, with the user's p coefficients and units."""
    found = path(solution, contrast) if grid is None else on_grid(solution, contrast, grid)
    loglik = found.loglik + solution.unit_shift[:, None]
    return found._replace(loglik=loglik, coef=found.coef[..., :p])


def on_grid(solution: Solution, contrast: np.ndarray, grid: np.ndarray) -> Path:
    """The profile at values (g,), or (B, g) of each model's own."""
    centre = intervals.estimates(solution, contrast[None])
    found, status = hypotheses.profile(solution, contrast, grid)
    values = np.broadcast_to(grid, status.shape)
    # An indeterminate contrast has a flat profile: its root is 0 everywhere.
    root = np.sqrt(np.maximum(found.lr, 0.0)) * np.nan_to_num(np.sign(values - centre))
    coef = hypotheses.user_coefficients(solution, found.coef)
    return Path(values, found.loglik, root, coef, status)


def path(solution: Solution, contrast: np.ndarray) -> Path:
    """The profile at GRID_POINTS points, evenly spaced in its signed root where it has one.

    A finite estimate stands in the middle, and the ends of the 99.9 % interval at both ends.
    A contrast without a finite estimate on one side has its points between the other side's
    99.9 % end and the last step above 0: where the log-likelihood is 0.003 below its supremum.
    """
    out = Path.empty(solution.status, len(contrast))
    if len(solution.finite):
        out.enter(solution.finite, _through(solution.take(solution.finite), contrast))
    index = solution.separated
    if not len(index):
        return out
    part = solution.take(index)
    lower, upper = unbounded(solution, contrast[None])[:, 0].T
    flat, open_ = np.flatnonzero(lower & upper), np.flatnonzero(lower ^ upper)
    if len(flat):
        grid = np.linspace(-UNBOUNDED_SPAN, UNBOUNDED_SPAN, GRID_POINTS)
        out.enter(index[flat], on_grid(part.take(flat), contrast, grid))
    if len(open_):
        side = np.where(upper[open_], -1.0, 1.0)
        out.enter(index[open_], _from_one_side(part.take(open_), contrast, side))
    closed, overlap = _settled(part, contrast[None], np.flatnonzero(~lower & ~upper))
    if len(closed):
        values = _through(overlap, contrast).value
        out.enter(index[closed], on_grid(part.take(closed), contrast, values))
    return out


def _through(solution: Solution, contrast: np.ndarray) -> Path:
    """The path through finite maxima; `solution` has no other models."""
    count, root = len(solution.status), np.sqrt(tails.chi2_quantile(GRID_LEVEL, 1))
    spacing = root / SIDE_POINTS
    common = (contrast, spacing, np.int32(QUICK_STEPS))
    found = solution.run(_quick_path, common, searches=2)
    points = 2 * SIDE_POINTS
    levels = (
        solution.loglik[:, None] - 0.5 * np.tile(spacing * np.arange(1, SIDE_POINTS + 1), 2) ** 2
    )
    nulls, codes = (found.user_coef @ contrast).reshape(count, points, 1), found.status
    constraints = np.broadcast_to(contrast, (points, 1, len(contrast)))
    lower = hills.lower(solution, constraints, nulls, levels, codes.reshape(count, points))
    codes[lower.reshape(codes.shape)] = int(Status.NO_BOUND_FOUND)
    model, side, point = np.nonzero(codes != Status.CONVERGED)
    if len(model):
        sides, roots = np.array([-1.0, 1.0])[side], spacing * (point + 1)
        rows = (np.broadcast_to(contrast, (len(model), len(contrast))), sides, roots**2)
        again = _search(solution, model, rows, finite=True)
        found.user_coef[model, side, point], found.status[model, side, point] = again
    roots = spacing * np.arange(-SIDE_POINTS, SIDE_POINTS + 1)
    # Not `user_coef`, whose intercept FLIC has replaced by one off this likelihood's maximum.
    centre = hypotheses.user_coefficients(solution, solution.coef[:, None])
    coef = _both_sides(found.user_coef, centre)
    status = _both_sides(found.status, np.zeros((count, 1), np.int32))
    return _along(solution, contrast, roots[None], coef, status)


def _both_sides(sides: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Points (B, 2, k, …) outward from the centre (B, 1, …), in order: (B, 2k + 1, …)."""
    return np.concatenate([sides[:, 0, ::-1], centre, sides[:, 1]], axis=1)


def _from_one_side(solution: Solution, contrast: np.ndarray, side: np.ndarray) -> Path:
    """Profiles that end on one side (B,), and on the other rise to the supremum."""
    count = len(solution.status)
    shape = (count, GRID_POINTS)
    spacing = np.sqrt(tails.chi2_quantile(GRID_LEVEL, 1)) / GRID_POINTS
    roots = spacing * np.arange(1, GRID_POINTS + 1)
    roots = np.where(side[:, None] > 0, roots, -roots[::-1])
    model = np.repeat(np.arange(count), GRID_POINTS)
    rows = (np.broadcast_to(contrast, (len(model), len(contrast))), side[model], roots.ravel() ** 2)
    found = _search(solution, model, rows, finite=False)
    coef, status = (field.reshape(*shape, *field.shape[1:]) for field in found)
    return _along(solution, contrast, roots, coef, status)


def _along(solution: Solution, contrast, roots, coef, status) -> Path:
    """The points found at signed roots (B, k) or (1, k); what was not found becomes nan."""
    lost = status != Status.CONVERGED
    coef = np.where(lost[..., None], np.nan, coef)
    roots = np.where(lost, np.nan, roots)
    loglik = solution.loglik[:, None] - 0.5 * roots**2
    return Path(coef @ contrast, loglik, roots, coef, status)


def _settled(part: Solution, contrasts: np.ndarray, index: np.ndarray):
    """Which of these separated models' contrasts the overlapping rows settle, and those parts."""
    index = index[part.status[index] == Status.SEPARATED_QUASI]
    if not len(index):
        return index, part
    overlap = overlapping(part, index)
    good = np.all(settled_alone(overlap, contrasts), axis=1) & (overlap.status == Status.CONVERGED)
    return index[good], overlap.take(good)


def _search(solution: Solution, model: np.ndarray, rows: tuple, *, finite: bool) -> Point:
    """Single points: rows of a model, a contrast, a side and a cutoff."""
    if finite:
        contrasts, sides, cutoffs = rows
        again = careful.ends(solution, model, contrasts, sides, cutoffs, "lr", finite=True)
        return Point(again.user_coef, again.end.status)
    found = solution.run_rows(_point_from_inside, model, rows, careful=True)
    left = np.flatnonzero(found.status != Status.CONVERGED)
    if len(left):
        contrasts, sides, cutoffs = (row[left] for row in rows)
        again = careful.ends(solution, model[left], contrasts, sides, cutoffs, "lr", finite=False)
        found.user_coef[left], found.status[left] = again.user_coef, again.end.status
    return found


def _quick_path(arrays, coef, peak, contrast, spacing, max_steps, *, unroll):
    return core_profiles.quick_path(
        arrays, coef, peak, contrast, spacing, max_steps, points=SIDE_POINTS, unroll=unroll
    )


def _point_from_inside(arrays, coef, peak, contrast, side, cutoff):
    return core_profiles.point_from_inside(arrays, coef, peak, contrast, side, cutoff)


# -- regions ----------------------------------------------------------------------------------


class Boundaries(NamedTuple):
    """Boundaries of regions, as `results.Region` has them, for every model."""

    value: np.ndarray
    status: np.ndarray
    direction: np.ndarray
    ellipse: np.ndarray

    def enter(self, index: np.ndarray, part: "Boundaries") -> None:
        """Put these models' boundaries in their place."""
        for whole, field in zip(self, part, strict=True):
            whole[index] = field


def region(solution: Solution, pair: np.ndarray, level: float, points: int) -> Boundaries:
    """Boundaries of the regions of Cβ, C the pair (2, p), at a level."""
    cutoff = tails.chi2_quantile(level, 2)
    shape = (len(solution.status), points, 2)
    value, direction, ellipse = (np.full(shape, np.nan) for _ in range(3))
    status = np.broadcast_to(solution.status[:, None], shape[:2]).astype(np.int32)
    out = Boundaries(value, status, direction, ellipse)
    if len(solution.finite):
        part = solution.take(solution.finite)
        out.enter(solution.finite, _around(part, pair, cutoff, points))
    index = solution.separated
    if len(index):
        part = solution.take(index)
        closed, overlap = _settled(part, pair, np.arange(len(index)))
        if len(closed):
            found = _around(overlap, pair, cutoff, points)
            out.enter(index[closed], found._replace(ellipse=np.full_like(found.ellipse, np.nan)))
        open_ = np.setdiff1d(np.arange(len(index)), closed)
        if len(open_):
            out.enter(index[open_], _open_sided(part.take(open_), pair, cutoff, points))
    return out


def _circle(points: int, start: float = 0.0) -> np.ndarray:
    """Vectors of length 1 at even angles, (points, 2); `start` is a share of the first step."""
    angle = 2 * np.pi * (np.arange(points) + start) / points
    return np.column_stack([np.cos(angle), np.sin(angle)])


def _around(solution: Solution, pair: np.ndarray, cutoff: float, points: int) -> Boundaries:
    """Boundaries around finite maxima; `solution` has no other models."""
    common = (pair, _circle(points), np.float64(cutoff), np.int32(QUICK_STEPS))
    found = Boundaries(*solution.run(_quick_boundary, common, searches=points))
    where = np.nonzero(found.status != Status.CONVERGED)
    if len(where[0]):
        _search_boundary(solution, pair, cutoff, found, where, finite=True)
    if solution.sandwich is not None:
        used = np.any(pair != 0, axis=0)  # the units may say nothing about other coefficients
        metric = covariances(solution)[:, used][:, :, used]
        metric = pair[:, used] @ metric @ pair[:, used].T
        reach = found.direction @ metric
        length = np.sqrt(np.sum(reach * found.direction, axis=-1, keepdims=True))
        centre = (solution.user_coef @ pair.T)[:, None]
        found = found._replace(ellipse=centre + np.sqrt(cutoff) * reach / length)
    return found


def _open_sided(solution: Solution, pair: np.ndarray, cutoff: float, points: int) -> Boundaries:
    """Boundaries of regions that reach to infinity.

    The directions are even in the metric of each model's information at β = 0. None is that of
    a term alone: if that has a finite end where the other runs off, no point has it.
    """
    lower = np.linalg.cholesky(solution.run(_null_metric, (pair,), own=()))
    direction = np.linalg.solve(np.swapaxes(lower, 1, 2), _circle(points, OFF_AXES).T)
    direction = np.swapaxes(direction, 1, 2)
    infinite = np.zeros(direction.shape[:2], bool)
    kinds, which = np.unique(direction, axis=0, return_inverse=True)
    for i, shared in enumerate(kinds):  # one where the models share their rows
        index = np.flatnonzero(which.ravel() == i)
        infinite[index] = unbounded(solution.take(index), shared @ pair)[..., 1]
    status = np.where(infinite, int(Status.INFINITE), int(Status.NO_BOUND_FOUND)).astype(np.int32)
    missing = np.full(direction.shape, np.nan)
    found = Boundaries(missing, status, direction, missing.copy())
    _search_boundary(solution, pair, cutoff, found, np.nonzero(~infinite), finite=False)
    return found


def _search_boundary(solution, pair, cutoff, found: Boundaries, where, *, finite: bool) -> None:
    """Single points of boundaries, at `where`: numbers of models and of points."""
    if not len(where[0]):
        return
    ones = np.ones(len(where[0]))
    again = _search(
        solution, where[0], (found.direction[where] @ pair, ones, cutoff * ones), finite=finite
    )
    lost = (again.status != Status.CONVERGED)[:, None]
    found.value[where] = np.where(lost, np.nan, again.user_coef @ pair.T)
    found.status[where] = again.status


def _quick_boundary(arrays, coef, peak, pair, circle, cutoff, max_steps, *, unroll):
    return core_profiles.quick_boundary(
        arrays, coef, peak, pair, circle, cutoff, max_steps, unroll=unroll
    )


def _null_metric(arrays, pair, *, unroll):
    return core_profiles.null_metric(arrays, pair, unroll=unroll)
