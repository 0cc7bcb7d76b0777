"""What a study asks for: its settings checked, and the record that a new store of it has."""

from typing import TYPE_CHECKING, Any

import numpy as np

from jaxlogit.data import check_choice
from jaxlogit.study.computing.resample import plan
from jaxlogit.study.design.cells import MAX_REPLICATES, integer
from jaxlogit.study.design.grid import points
from jaxlogit.study.design.settings import (
    Settings,
    check_levels,
    check_name,
    check_settings,
    described,
    number,
)
from jaxlogit.study.design.simulate import random_record
from jaxlogit.study.methods import check_bootstrap, check_methods
from jaxlogit.study.precision import check_precision
from jaxlogit.study.store.record import Record, versions

if TYPE_CHECKING:
    from jaxlogit.study.spec import Study


def check(study: "Study") -> None:
    """Check a new study's arguments, and keep them in one form; no data are read."""
    check_name(study.name)
    _set(study, "seed", integer("seed", study.seed, 0, 2**63 - 1))
    _set(study, "replicates", integer("replicates", study.replicates, 1, MAX_REPLICATES))
    _set(study, "level", check_levels(study.level))
    _set(study, "null", number("null", study.null, -np.inf, np.inf))
    methods = check_methods(study.methods)
    _set(study, "methods", methods)
    _set(study, "bootstrap", check_bootstrap(study.bootstrap, methods, max(study.levels)))
    if study.significance is None and len(study.levels) == 1:
        # Rounded so that 1 − 0.95 is 0.05, not 0.050000000000000044.
        _set(study, "significance", round(1.0 - study.levels[0], 12))
    if study.significance is not None:
        _set(study, "significance", number("significance", study.significance, 0.0, 1.0))
    check_precision(study.target_mcse, study.looks, study.replicates)
    check_choice("keep", study.keep, ("all", "summary"))
    if study.grid is None:
        check_settings(Settings(**study.settings))
    else:
        points(study.grid)


def record_of(study: "Study", *, draws: bool = True) -> Record:
    """The record a new store of this study would have; reads and checks the design.

    Without `draws` nothing of it fixes random numbers: all outcomes are enumerated.
    """
    if study.bootstrap is not None:
        for cell in study.cells:
            plan(cell, study.seed, study.bootstrap, study.levels)
    return Record(
        name=study.name,
        seed=study.seed,
        levels=study.levels,
        null=study.null,
        replicates=study.replicates,
        significance=study.significance,
        methods=tuple(study.methods),
        bootstrap=study.bootstrap,
        precision=check_precision(study.target_mcse, study.looks, study.replicates),
        cells=study.cells,
        source=described(study.settings, study.grid),
        random=random_record() if draws else {},
        versions=versions(),
        keep=study.keep,
    )


def _set(study: "Study", name: str, value: Any) -> None:
    object.__setattr__(study, name, value)  # the record is frozen once this has run
