"""The house: every room imports only from floors below it, and keeps its size and its words."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import jaxlogit

HOUSE = Path(jaxlogit.__file__).parent
# From the ground up; rooms of one floor do not import each other. plots and report are below study
# because they only draw and write what they are handed: a result can then write its own report.
FLOORS = (
    "compiled cores memory once",
    "checks",
    "core datasets",
    "forms",
    "batch results rows text",
    "data",
    "alike clusters penalties solution frame",
    "coordinates hills separated",
    "fitting influence robust",
    "careful covariances",
    "passages",
    "hypotheses intervals",
    "delta diagnosis predictions profiles",
    "calibrated criteria",
    "tables",
    "comparison",
    "generic model",
    "front",
    "resampling sklearn",
    "plots",
    "report",
    "study",
    "cli",
    "__main__ __init__",
)
FLOORS_OF_STUDY = (
    "measures methods",
    "design",
    "precision",
    "store",
    "computing",
    "exact result",
    "asked merge run toml",
    "spec",
    "__init__",
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}
FLOOR_OF_STUDY = {room: n for n, rooms in enumerate(FLOORS_OF_STUDY) for room in rooms.split()}
LONGEST_MODULE = 350
# Other fields' names for what is called coef, std_error, loglik, information or level here.
OTHER_WORDS = {"alpha", "bse", "hess", "hessian", "llf", "params", "theta", "utils"}
MODULES = sorted(HOUSE.rglob("*.py"))


def name(path: Path) -> str:
    """Dotted name below jaxlogit: core.newton, core (its __init__), model."""
    parts = path.relative_to(HOUSE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


def running(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree, leaving out what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        match node:
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                continue
        yield node
        yield from running(node)


def imports(path: Path) -> set[str]:
    """Modules of the house that a module imports, at its top or inside a function."""
    known = {name(p) for p in MODULES}
    found = set()
    for node in running(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.ImportFrom(module="jaxlogit", names=names):
                found |= {n.name if n.name in known else "__init__" for n in names}
            case ast.ImportFrom(module=str(module), names=names, level=0):
                if module.startswith("jaxlogit."):
                    inside = module.removeprefix("jaxlogit.")
                    deeper = {f"{inside}.{n.name}" for n in names}
                    found |= (deeper & known) or {inside}
            case ast.ImportFrom():
                pytest.fail(f"{path.name} has a relative import; write jaxlogit.…")
            case ast.Import(names=names):
                full = [n.name for n in names if n.name.split(".")[0] == "jaxlogit"]
                found |= {n.removeprefix("jaxlogit").lstrip(".") or "__init__" for n in full}
    return found


def test_every_room_has_a_floor():
    rooms = {name(path).split(".")[0] for path in MODULES}
    assert rooms <= FLOOR.keys(), "name the new room's floor in FLOORS"


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_imports_come_from_floors_below(path: Path):
    room = name(path).split(".")[0]
    above = {
        other
        for other in imports(path)
        if other.split(".")[0] != room and FLOOR[other.split(".")[0]] >= FLOOR[room]
    }
    assert not above, f"{name(path)} imports from its own floor or above: {sorted(above)}"


def test_rooms_of_a_study_import_from_floors_below():
    for path in (HOUSE / "study").rglob("*.py"):
        room = [*name(path).split("."), "__init__"][1]
        for other in imports(path):
            house, _, inside = other.partition(".")
            other_room = inside.split(".")[0] or "__init__"
            if house == "study" and other_room != room:
                assert FLOOR_OF_STUDY[other_room] < FLOOR_OF_STUDY[room], f"{name(path)}: {other}"


def test_modules_import_each_other_in_no_circle():
    graph = {name(path): imports(path) for path in MODULES}
    while graph:
        ready = {module for module, below in graph.items() if not below & graph.keys()}
        assert ready, f"these import each other in a circle: {sorted(graph)}"
        graph = {module: below for module, below in graph.items() if module not in ready}


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_modules_stay_short(path: Path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= LONGEST_MODULE


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_one_name_per_quantity(path: Path):
    bound = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Name(id=word, ctx=ast.Store()) | ast.arg(arg=word):
                bound.add(word)
            case ast.FunctionDef(name=word) | ast.ClassDef(name=word):
                bound.add(word)
    assert not bound & OTHER_WORDS
