"""Compiled programs kept on disk, so that the next command need not compile the same again.

A command's first minute is mostly compilation, and workers of a study compile the same programs
side by side. JAX can keep them in a folder; `keep` names one where the user has not.
"""

import hashlib
import os
import platform
from pathlib import Path

import jax

LARGEST = 500_000_000
"""Bytes of the folder above which the oldest programs go; each takes some 60,000."""

LEAST_SECONDS = 0.2
"""What compiles faster is not worth a file."""


def keep() -> None:
    """Let JAX keep compiled programs in the user's cache, unless it was told where, or not to.

    JAX_COMPILATION_CACHE_DIR names another folder, JAX_ENABLE_COMPILATION_CACHE=false none. The
    folder's name holds the processor's features: programs compiled for one machine may not run on
    another that shares its home folder.
    """
    told = jax.config.jax_compilation_cache_dir is not None  # pyright: ignore[reportAttributeAccessIssue]
    if told or not jax.config.jax_enable_compilation_cache:  # pyright: ignore[reportAttributeAccessIssue]
        return
    folder = _cache_home() / "jaxlogit" / _machine()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _prune(folder)
    except OSError:  # no home folder that can be written
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", LEAST_SECONDS)


def _cache_home() -> Path:
    named = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    return Path(named) if named else Path.home() / ".cache"


def _machine() -> str:
    """A name for this kind of processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        features = next(line for line in lines if line.startswith(("flags", "Features")))
    except (OSError, StopIteration):
        features = platform.processor()
    text = f"{platform.machine()} {features}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _prune(folder: Path) -> None:
    """Delete the oldest files until the folder is small enough."""
    found = [(path.stat(), path) for path in folder.iterdir() if path.is_file()]
    total = sum(stat.st_size for stat, _ in found)
    for stat, path in sorted(found, key=lambda one: one[0].st_mtime):
        if total <= LARGEST:
            return
        path.unlink(missing_ok=True)
        total -= stat.st_size
