"""What users can reach is documented, with an example that the doctest step runs.

The rule: a function or class has an example in its own docstring, but a record needs none where
a public function with an example returns it; a method or property has a docstring, and a method is
called in some example of the public docstrings, be it its own, its class's or another's.
"""

import enum
import inspect
import re
from collections.abc import Iterator
from types import ModuleType

import pytest

import jaxlogit
import jaxlogit.sklearn

ROOMS = (
    jaxlogit,
    jaxlogit.core,
    jaxlogit.datasets,
    jaxlogit.penalties,
    jaxlogit.plots,
    jaxlogit.sklearn,
)


def public() -> dict[str, object]:
    """Functions and classes by the name that users give them, each once."""
    found = {}
    for room in ROOMS:
        for name in room.__all__:
            thing = getattr(room, name)
            if not isinstance(thing, ModuleType) and thing not in found.values():
                found[f"{room.__name__}.{name}"] = thing
    return found


def members(thing: type) -> Iterator[tuple[str, object]]:
    """Public methods and properties that the house wrote."""
    for base in thing.__mro__:
        if base.__module__.startswith("jaxlogit"):
            for name, member in vars(base).items():
                member = getattr(member, "__func__", member)  # of class and static methods
                documented = inspect.isfunction(member) or hasattr(type(member), "__get__")
                if (
                    not name.startswith("_")
                    and documented
                    and not inspect.ismemberdescriptor(member)
                ):
                    yield name, member


UNSHOWN = {
    "jaxlogit.Bootstrap.to_parquet",  # writes a file; the README has it
    "jaxlogit.Interval.of",  # these two are made by the house
    "jaxlogit.Prediction.of",
}

PUBLIC = public()
CLASSES = {name: thing for name, thing in PUBLIC.items() if inspect.isclass(thing)}


def examples(text: str | None) -> str:
    """The lines of a docstring that the doctest step runs."""
    return "\n".join(re.findall(r"^\s*(?:>>>|\.\.\.) (.*)", text or "", re.MULTILINE))


@pytest.fixture(scope="module")
def shown() -> str:
    """Every example of the public docstrings."""
    texts = [examples(thing.__doc__) for thing in PUBLIC.values()]
    for thing in CLASSES.values():
        texts += [examples(member.__doc__) for _, member in members(thing)]
    return "\n".join(texts)


def returned() -> set[str]:
    """Names of the classes that documented public functions return."""
    functions = [thing for thing in PUBLIC.values() if inspect.isfunction(thing)]
    results = [inspect.signature(f).return_annotation for f in functions if examples(f.__doc__)]
    return {getattr(result, "__name__", str(result)) for result in results}


@pytest.mark.parametrize("name", PUBLIC)
def test_functions_and_classes_have_an_example(name):
    thing = PUBLIC[name]
    record = hasattr(thing, "__dataclass_fields__") or hasattr(thing, "_fields")
    if not (record and thing.__name__ in returned()):
        assert examples(thing.__doc__), f"{name} has no example"


@pytest.mark.parametrize("name", CLASSES)
def test_methods_have_a_docstring_and_are_shown(name, shown):
    if issubclass(CLASSES[name], enum.Enum):
        return
    for member, written in members(CLASSES[name]):
        assert written.__doc__, f"{name}.{member} has no docstring"
        if inspect.isfunction(written) and f"{name}.{member}" not in UNSHOWN:
            assert f".{member}(" in shown, f"no example calls {name}.{member}"
