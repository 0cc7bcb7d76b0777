"""Pictures of one fitted model, its tests, profiles, intervals and bootstrap; and of a study.

Every function draws on matplotlib Axes that it is given, or on those of a new Figure, and
returns the Axes; nothing is shown and no setting is changed. Save with `ax.figure.savefig`. For
one model of many take `fit[i]`. Those of a study take its result. Needs the extra `plots`.
"""

try:
    from jaxlogit.plots.coverage import coverage, misses
    from jaxlogit.plots.curves import profile, signed_root
    from jaxlogit.plots.forest import forest
    from jaxlogit.plots.loops import nested_loop
    from jaxlogit.plots.outcomes import statuses
    from jaxlogit.plots.pairs import pairs
    from jaxlogit.plots.quantiles import jackknife_after, quantiles
    from jaxlogit.plots.replicates import bootstrap
    from jaxlogit.plots.spread import estimates
    from jaxlogit.plots.three import three_tests
    from jaxlogit.plots.zips import zip_plot
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] != "matplotlib":
        raise
    raise ImportError("plots need matplotlib: install jaxlogit-inference[plots]") from error

__all__ = [
    "bootstrap",
    "coverage",
    "estimates",
    "forest",
    "jackknife_after",
    "misses",
    "nested_loop",
    "pairs",
    "profile",
    "quantiles",
    "signed_root",
    "statuses",
    "three_tests",
    "zip_plot",
]
