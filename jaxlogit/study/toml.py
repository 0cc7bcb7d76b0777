"""A study's TOML file: found, parsed, and its keys checked, into Study's arguments."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jaxlogit.checks import nearest
from jaxlogit.study.design.settings import SETTINGS

TOP_KEYS = ("name", "seed", "replicates", "level", "methods", "null", "significance",
            "target_mcse", "looks", "keep")  # fmt: skip
TABLES = ("design", "bootstrap", "grid")
TEXTS = ("data", "formula", "subset", "weights", "offset")
DESIGN_KEYS = tuple(name for name in SETTINGS if name not in ("X", "names", "generate"))


def read_toml(path: str | Path) -> tuple[Path, dict[str, Any]]:
    """Find and parse a study's file.

    Parameters
    ----------
    path : str or path
        A file, or the name of a bundled study.

    Returns
    -------
    tuple of path and dict
        The file, and arguments for Study; their values are checked there.

    Raises
    ------
    FileNotFoundError
        Neither a file nor a bundled study.
    ValueError, TypeError
        Not TOML, an unknown or a missing key: naming the file, the key and what is allowed.
    """
    file = _find(path)
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not valid TOML: {error}") from None
    try:
        return file, _arguments(table, file.parent)
    except (ValueError, TypeError) as error:
        raise type(error)(f"{file}: {error}") from None


def bundled() -> tuple[str, ...]:
    """Names of the studies that come with the package."""
    folder = resources.files("jaxlogit.study")
    return tuple(sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml")))


def _find(path: str | Path) -> Path:
    file = Path(path)
    if file.is_file():
        return file
    if str(path) in bundled():
        return Path(str(resources.files("jaxlogit.study") / f"{path}.toml"))
    raise FileNotFoundError(
        f"no study file {path}, and no bundled study of that name: bundled are "
        f"{', '.join(bundled())}{nearest(str(path), bundled())}"
    )


def _arguments(table: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    _check_keys(table, "", TOP_KEYS + TABLES, required=("name", "seed", "replicates", "design"))
    design = table["design"]
    if not isinstance(design, Mapping):
        raise TypeError(f"design must be a table, [design]: found {design!r}")
    made = any(kind in design for kind in ("columns", "groups", "doses"))
    _check_keys(design, "design.", DESIGN_KEYS, required=() if made else ("data", "formula"))
    for key in TEXTS:
        if key in design and not isinstance(design[key], str):
            raise TypeError(f"design.{key} must be text: found {design[key]!r}")
    arguments = {key: value for key, value in (*table.items(), *design.items()) if key != "design"}
    if "data" in design and Path(design["data"]).suffix:  # a file rather than a bundled data set
        arguments["data"] = folder / design["data"]
    if "grid" in arguments:
        arguments["grid"] = _beside(arguments["grid"], folder)
    return arguments


def _beside(grid: Any, folder: Path) -> Any:
    """A grid whose data files are looked for beside the TOML file."""
    if isinstance(grid, list):
        return [_beside(one, folder) for one in grid]
    if not isinstance(grid, Mapping) or "data" not in grid:
        return grid
    files = grid["data"] if isinstance(grid["data"], list) else [grid["data"]]
    found = [str(folder / one) if Path(str(one)).suffix else one for one in files]
    return {**grid, "data": found}


def _check_keys(
    table: Mapping[str, Any], prefix: str, allowed: tuple[str, ...], required: tuple[str, ...]
) -> None:
    for key in table:
        if key not in allowed:
            raise ValueError(
                f'unknown key "{prefix}{key}": allowed are '
                f"{', '.join(prefix + name for name in allowed)}{nearest(key, allowed)}"
            )
    for key in required:
        if key not in table:
            raise ValueError(f'key "{prefix}{key}" is missing')
