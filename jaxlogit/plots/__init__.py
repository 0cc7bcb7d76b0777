"""Pictures of one fitted model: its tests, profiles, intervals, joint regions and bootstrap.

Every function draws on matplotlib Axes that it is given, or on those of a new Figure, and
returns the Axes; nothing is shown and no setting is changed. Save with `ax.figure.savefig`. For
one model of many take `fit[i]`. Needs the extra `plots`.
"""

try:
    from jaxlogit.plots.curves import profile, signed_root
    from jaxlogit.plots.forest import forest
    from jaxlogit.plots.pairs import pairs
    from jaxlogit.plots.quantiles import jackknife_after, quantiles
    from jaxlogit.plots.replicates import bootstrap
    from jaxlogit.plots.three import three_tests
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "matplotlib":
        raise
    raise ImportError("plots need matplotlib: install jaxlogit-inference[plots]") from error

__all__ = [
    "bootstrap",
    "forest",
    "jackknife_after",
    "pairs",
    "profile",
    "quantiles",
    "signed_root",
    "three_tests",
]
