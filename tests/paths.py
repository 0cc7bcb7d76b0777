"""Every numerical fast path of the package, and what turns it off: `pytest --without NAME[,NAME]`.

Each is a shortcut to an answer that a slower path finds too: what is tested of numbers holds with
any of them off, and with `every` of them. `test_paths.py` runs one test of each kind so;
CONTRIBUTING.md has the command that runs them all.
"""

import ast
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

import jaxlogit
from jaxlogit.core.tasks import Budget

NEVER = 1 << 60
NEVER_MORE = 20  # steps: as many as any search takes at once
NO_STEPS = Budget(np.int32(0), np.int32(0))
FITS = ("fitting", "resampling.replicates")

# path: constants and their values without it, with the modules that have them
PATHS: dict[str, list[tuple[str, Any, tuple[str, ...]]]] = {
    # first steps in single precision
    "single": [
        ("SINGLE", False, ("fitting",)),
        ("SINGLE_ROWS", 0, ("solution", "intervals", "hypotheses")),
    ],
    # systems unrolled over scalars, in place of LAPACK's
    "unrolled": [("UNROLL_LIMIT", 0, ("core.linalg",))],
    # rows and models that are alike taken once; designs that differ in one column split
    "alike": [("LEAST_MODELS", NEVER, ("alike",))],
    # rows of weight 0 as rows of zeros
    "absent": [("MOST_ABSENT", -1, ("coordinates",))],
    # products of a shared design's columns made once
    "products": [("MOST_PRODUCTS", 0, ("coordinates",))],
    # fits without halving, before careful ones
    "quick-fits": [
        ("FIRST", {False: NO_STEPS, True: NO_STEPS}, ("fitting",)),
        ("FIRST", NO_STEPS, ("resampling.replicates",)),
        ("REST", NO_STEPS, FITS),
        ("FIRTH_STEPS", np.int32(0), FITS),
    ],
    # Firth's penalty: few steps for all models, then more for those left
    "passes": [("FIRST_PASS", NEVER_MORE, ("intervals", "hypotheses"))],
    # local searches for interval ends, before the bracket
    "local-ends": [
        ("QUICK_STEPS", 0, ("intervals",)),
        ("FIRST_PASS", 0, ("intervals",)),
        ("FAR_STEPS", 0, ("core.ends",)),
    ],
    # restricted maxima without halving, before careful ones
    "quick-tests": [("QUICK_STEPS", 0, ("hypotheses",)), ("FIRST_PASS", 0, ("hypotheses",))],
    # blocks of careful searches small enough that a slow one holds up few
    "careful-blocks": [("CAREFUL_BLOCK", 272, ("batch",))],
    # profiles and regions followed from point to point, before careful searches
    "quick-profiles": [("QUICK_STEPS", 0, ("profiles",))],
    # Firth's penalty: one search where one hill is likely
    "one-hill": [("ONE_HILL", 0.0, ("hills",)), ("FAR", 0.0, ("hills",))],
    # infinite ends by the direction nearest to a contrast, before linear programmes
    "nearest": [("MOST_EDGES", 0, ("core.programme",))],
    # blocks of models that fill a core's cache
    "blocks": [("BLOCK_ELEMENTS", 1 << 9, ("batch",))],
    # blocks side by side
    "threads": [
        ("n_threads", lambda: 1, ("cores", "batch", "alike", "checks", "study.computing.engines"))
    ],
    # few models compiled quickly
    "hurried": [("FEW_MODELS", 0, ("batch",))],
    # a long design weighed a thousand rows at a time, in double precision from the start
    "long": [("MANY_ROWS", NEVER, ("core.likelihood", "core.reach", "fitting"))],
}


def changes(names: str) -> Iterator[tuple[Any, str, Any]]:
    """(module, constant, value) that turn off the paths of "NAME,NAME", or "every" one."""
    for name in PATHS if names == "every" else names.split(","):
        if name not in PATHS:
            raise ValueError(f"no fast path {name!r}: there are {', '.join(PATHS)}, and every")
        for constant, value, modules in PATHS[name]:
            for module in modules:
                yield import_module(f"jaxlogit.{module}"), constant, value


def users(constant: str, home: str) -> Iterator[str]:
    """Modules that import a constant by name from its home."""
    root = Path(jaxlogit.__file__).parent
    where = f"jaxlogit.{home}"
    for file in root.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == where:
                if any(alias.name == constant for alias in node.names):
                    yield ".".join(file.relative_to(root).with_suffix("").parts)
