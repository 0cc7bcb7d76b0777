"""`jaxlogit doctor`: what is installed and used here, and whether its numbers are right."""

import argparse
import importlib.metadata
import json
import math
import os
import platform
from typing import Any

BASE = ("jax", "jaxlib", "numpy", "optax", "scipy")
EXTRAS = {
    "study": ("formulaic", "jinja2", "narwhals", "pandas", "pyarrow", "rich", "shtab"),
    "cluster": ("distributed",),
    "plots": ("matplotlib",),
    "frames": ("polars", "xarray"),
    "sklearn": ("scikit-learn",),
}
"""Distributions of the optional extras that users see, as in pyproject.toml."""


def add(commands: argparse._SubParsersAction) -> None:
    """Add the command."""
    command = commands.add_parser("doctor", help="versions, devices, and fits with known answers")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(command=run)


def run(options: argparse.Namespace) -> int:
    """Print what is found; 1 where a check failed."""
    from jaxlogit.cli import checkup

    found, made = surroundings(), checkup.checks()
    healthy = all(check.ok for check in made)
    if options.json:
        checks = [
            {
                "name": check.name, "ok": check.ok, "trouble": check.trouble or None,
                "first_seconds": _finite(check.first_seconds),
                "warm_seconds": _finite(check.warm_seconds),
            }
            for check in made
        ]  # fmt: skip
        print(json.dumps({**found, "checks": checks, "ok": healthy}, indent=2))
    else:
        print(_text(found, made))
    return 0 if healthy else 1


def surroundings() -> dict[str, Any]:
    """Versions, extras, devices, cores, free memory and the folder of compiled programs."""
    import jax

    from jaxlogit import cores, memory

    try:
        devices = [f"{device} ({device.device_kind})" for device in jax.local_devices()]
    except RuntimeError as error:  # no platform that JAX was told to use
        devices = [" ".join(str(error).split())]
    cache = jax.config.jax_compilation_cache_dir  # pyright: ignore[reportAttributeAccessIssue]
    enabled = jax.config.jax_enable_compilation_cache  # pyright: ignore[reportAttributeAccessIssue]
    return {
        "versions": {
            "jaxlogit": _version("jaxlogit-inference"),
            "python": platform.python_version(),
            **{name: _version(name) for name in BASE},
        },
        "platform": platform.platform(),
        "extras": {extra: {name: _version(name) for name in names}
                   for extra, names in EXTRAS.items()},
        "devices": devices,
        "cores": cores.n_threads(),
        "JAXLOGIT_NUM_THREADS": os.environ.get("JAXLOGIT_NUM_THREADS"),
        "memory_free": memory.free(),
        "compilation_cache": str(cache) if cache and enabled else None,
    }  # fmt: skip


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _finite(seconds: float) -> float | None:
    return round(seconds, 6) if math.isfinite(seconds) else None


def _text(found: dict[str, Any], made: list) -> str:
    from jaxlogit import memory
    from jaxlogit.text import table

    asked = found["JAXLOGIT_NUM_THREADS"]
    cores = "JAXLOGIT_NUM_THREADS" if asked == str(found["cores"]) else "from its affinity"
    free = found["memory_free"]
    facts = [
        *((name, version or "missing") for name, version in found["versions"].items()),
        ("platform", found["platform"]),
        *((f"extra {extra}", _extra(names)) for extra, names in found["extras"].items()),
        ("devices", ", ".join(found["devices"])),
        ("cores used", f"{found['cores']} ({cores})"),
        ("memory free", "unknown" if free is None else memory.size(free)),
        ("compiled programs", found["compilation_cache"] or "not kept for the next process"),
    ]
    width = max(len(name) for name, _ in facts)
    lines = [f"{name:<{width}}  {value}" for name, value in facts]
    rows = [
        [check.name, _seconds(check.first_seconds), _seconds(check.warm_seconds),
         "ok" if check.ok else "FAILED"]
        for check in made
    ]  # fmt: skip
    troubles = [f"FAILED {check.name}: {check.trouble}" for check in made if not check.ok]
    return "\n".join([*lines, "", table(["check", "first", "warm", ""], rows), *troubles])


def _extra(names: dict[str, str | None]) -> str:
    words = (f"{name} {version or 'missing'}" for name, version in names.items())
    return ", ".join(words)


def _seconds(value: float) -> str:
    return f"{value:.3f} s" if math.isfinite(value) else "n/a"
