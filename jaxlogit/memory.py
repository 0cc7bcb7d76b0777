"""How much memory is left, on the host and on a device, and the refusal to start without it."""

from pathlib import Path
from typing import Any

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")
WORTH_ASKING = 1 << 24  # bytes: what is smaller is not worth the tenth of a millisecond


def free(device: Any = None) -> int | None:
    """Bytes left on a JAX device, or on the host (a CPU device's memory); None if none says."""
    if device is not None and device.platform != "cpu":
        stats = device.memory_stats() or {}
        if "bytes_limit" not in stats:
            return None
        return stats["bytes_limit"] - stats.get("bytes_in_use", 0)
    known = [left for left in (_available(), _left_in_group()) if left is not None]
    return min(known) if known else None


def demand(needed: int, what: str) -> None:
    """Refuse what cannot be held, before any work on it is done.

    Raises
    ------
    MemoryError
        Naming what it is, its size and what is free.
    """
    if needed < WORTH_ASKING:
        return
    left = free()
    if left is not None and needed > left:
        raise MemoryError(f"{what} take {size(needed)} of memory: {size(left)} are free")


def size(count: int) -> str:
    """Bytes for people: "1.5 GiB"."""
    value, unit = float(count), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:,.0f} {unit}" if unit == "B" else f"{value:,.1f} {unit}"


def _available() -> int | None:
    """What Linux says can be had without swapping."""
    try:
        rows = dict(row.split(":", 1) for row in MEMINFO.read_text().splitlines() if ":" in row)
        return int(rows["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        return None


def _left_in_group() -> int | None:
    """What the limit of the process's group (a container's) leaves; caches can be given back."""
    try:
        limit = int((CGROUP / "memory.max").read_text())
        used = int((CGROUP / "memory.current").read_text())
        fields = dict(row.split() for row in (CGROUP / "memory.stat").read_text().splitlines())
        return limit - used + int(fields.get("inactive_file", 0))
    except (OSError, ValueError):  # no such files, or no limit ("max")
        return None
