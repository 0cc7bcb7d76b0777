"""Which methods hold their level: what a study comes to, in a few sentences."""

import math
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from jaxlogit.report.tables import Tabled
from jaxlogit.report.words import listed
from jaxlogit.rows import Row, levels, summary_rows, undefined
from jaxlogit.text import share

if TYPE_CHECKING:
    from jaxlogit.study import StudyResult

FAMILY = 0.05
"""Chance that a method which holds its level everywhere is said not to."""


class Verdict(NamedTuple):
    """One method at one level: its coverages in all cells and for all terms.

    `too_low` and `too_high` are those away from the level by more than chance explains: score
    tests at FAMILY over their number (Bonferroni), since the largest of many is far by chance.
    """

    method: str
    level: float
    rows: list[Row]
    too_low: list[Row]
    too_high: list[Row]

    @property
    def holds(self) -> bool:
        """Whether there is a coverage, and none away from the level."""
        return bool(self.rows) and not self.too_low and not self.too_high

    @property
    def worst(self) -> Row:
        """The coverage farthest from the level."""
        return max(self.rows, key=lambda r: abs(r["coverage"] - self.level))


def verdicts(result: "StudyResult") -> list[Verdict]:
    """A verdict for each method and level, in the study's order."""
    found = []
    for level in levels(result.record):
        for method in result.record.methods:
            rows = [r for r in summary_rows(result) if r["method"] == method and r["coverage_n"]
                    and abs(r["level"] - level) < 1e-9]  # fmt: skip
            critical = NormalDist().inv_cdf(1 - FAMILY / (2 * max(len(rows), 1)))
            away = [
                (r["coverage"] - level) / math.sqrt(level * (1 - level) / r["coverage_n"])
                for r in rows
            ]
            low = [r for r, z in zip(rows, away, strict=True) if z < -critical]
            high = [r for r, z in zip(rows, away, strict=True) if z > critical]
            found.append(Verdict(method, level, rows, low, high))
    return found


def headlines(result: "StudyResult") -> list[str]:
    """What the study found, in sentences with numbers.

    Parameters
    ----------
    result : StudyResult

    Returns
    -------
    list of str
        The methods that hold their level at each level, then one sentence for each that does
        not, with its worst coverage.
    """
    found = []
    for level in levels(result.record):
        here = [v for v in verdicts(result) if v.level == level]
        good = [v.method for v in here if v.holds]
        if good:
            one = len(good) == 1
            n = len(next(v for v in here if v.holds).rows)
            whose = "its" if one else "their"
            none = f"none of {whose} {n} coverages is" if n > 1 else f"{whose} coverage is not"
            found.append(
                f"{listed(good)} hold{'s' if one else ''} {100 * level:g} %: {none} away from it "
                "by more than chance explains."
            )
        found += [_short_of(v, result) for v in here if not v.holds]
    return found


def _short_of(verdict: Verdict, result: "StudyResult") -> str:
    if not verdict.rows:
        return f"{verdict.method} is defined nowhere."
    n = len(verdict.rows)
    parts = [
        f"{len(rows)} too {word}"
        for rows, word in ((verdict.too_low, "low"), (verdict.too_high, "high"))
        if rows
    ]
    verb = "is" if parts[0].startswith("1 ") else "are"
    first = parts[0].replace(" too", f" of its {n} coverages {verb} too")
    if n == 1:
        first = parts[0].replace("1 too", "its coverage is too")
    r = verdict.worst
    value, given = share(r["coverage"], r["coverage_mcse"]), ""
    if undefined(r):
        ends = (share(r[f"coverage_undefined_{word}"]) for word in ("miss", "cover"))
        given = " where it is defined, between {} and {} over all data sets".format(*ends)
    return (f"{verdict.method} does not hold {100 * verdict.level:g} %: "
            f"{listed([first, *parts[1:]])}; the worst is "
            f"{value}{given}, for {_where(r, result)}.")  # fmt: skip


def verdict_table(result: "StudyResult") -> Tabled:
    """Lowest and highest coverage of each method, and how often it is undefined."""
    several = len(levels(result.record)) > 1
    header = ["method", *(["level"] if several else []), "holds its level", "too low", "too high"]
    header += ["lowest", "where", "highest", "where ", "most undefined %"]
    rows = []
    for v in verdicts(result):
        row = [v.method, *([f"{100 * v.level:g} %"] if several else [])]
        if v.rows:
            low, high = (f(v.rows, key=lambda r: r["coverage"]) for f in (min, max))
            row += ["yes" if v.holds else "no", str(len(v.too_low)), str(len(v.too_high))]
            for r in (low, high):
                row += [share(r["coverage"], r["coverage_mcse"]), _where(r, result)]
        else:
            row += ["undefined", "0", "0", "n/a", "", "n/a", ""]
        lost = [undefined(r) / r["n_replicates"] for r in summary_rows(result)
                if r["method"] == v.method and r["n_replicates"]]  # fmt: skip
        rows.append([*row, f"{100 * max(lost, default=0.0):.2f}"])
    note = (f"too low, too high: coverages away from the level, by score tests at {FAMILY:g} in "
            "all of a method's coverages together (Bonferroni)")  # fmt: skip
    return Tabled("Which methods hold their level", [note], header, rows)


def _where(row: Row, result: "StudyResult") -> str:
    return row["term"] if len(result.record.cells) == 1 else f"{row['term']} in {row['cell']}"
