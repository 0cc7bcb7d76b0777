"""What a picture of a bootstrap is about: the replicates of one contrast."""

from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from jaxlogit.data import check_term
from jaxlogit.plots import paper
from jaxlogit.plots.paper import SMALL
from jaxlogit.resampling import Bootstrap
from jaxlogit.resampling.functional import functional


class Drawn(NamedTuple):
    """The replicates of one contrast."""

    row: np.ndarray
    name: str
    t: np.ndarray
    """(R,), ±∞ or nan without a finite value."""
    estimate: float

    @property
    def finite(self) -> np.ndarray:
        """Those that have a place."""
        return self.t[np.isfinite(self.t)]

    def share(self, which: np.ndarray) -> str:
        """A share of all replicates, as text."""
        return paper.percent(float(f"{np.mean(which):.4g}"))


def drawn_of(boot: Any, term: Any) -> Drawn:
    """Checked: the bootstrap of one data set, and one of its contrasts."""
    if not isinstance(boot, Bootstrap):
        raise TypeError(f"boot must be a Bootstrap: found {type(boot).__name__}")
    if len(boot._status) != 1:
        raise ValueError(f"boot must be of one data set: found {len(boot._status):,}")
    if boot.scheme == "jackknife":
        raise ValueError("boot must have replicates drawn at random: found scheme 'jackknife'")
    rows, labels = check_term(term, boot.names)
    wanted = functional(rows, None, boot.names)
    estimate = wanted.values(boot.fit[0].coef[None] if not boot._single else boot.fit.coef[None])
    return Drawn(rows, labels[0], wanted.values(boot._coef[0])[:, 0], float(estimate[0, 0]))


def right(ax: Axes, height: float, words: str) -> None:
    """Words beside the right edge."""
    ax.text(1.01, height, words, fontsize=SMALL, va="center", transform=ax.get_yaxis_transform())


def write_lost(ax: Axes, words: list[str]) -> None:
    """What has no place in the picture, above its right corner."""
    if words:
        ax.text(1.0, 1.02, "replicates: " + ", ".join(words), fontsize=SMALL, ha="right",
                va="bottom", transform=ax.transAxes, gid="share")  # fmt: skip
