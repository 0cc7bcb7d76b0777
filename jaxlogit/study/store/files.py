"""Files that are whole or absent: atomic writes, digests, and one writer at a time."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # no advisory locks on this platform: two runs on one store are not caught
    fcntl = None

TEMPORARY = ".tmp"
"""Ending of files being written; their names start with a dot, so that data tools skip them."""


def write_atomic(path: Path, content: bytes | memoryview) -> None:
    """Write a file that is seen complete or not at all, whenever the process dies.

    The content reaches the disk before the name does, and the name before this returns.

    Raises
    ------
    OSError
        The file could not be written, a full disk for instance; nothing of it is left.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)  # half a file takes room on a disk that may be full
        if isinstance(error, OSError) and error.errno is not None:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Bring a folder's names to the disk, where the system can open folders."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files of killed runs; the caller holds the lock."""
    for path in folder.glob(f".*{TEMPORARY}"):
        path.unlink(missing_ok=True)


def content_digest(content: bytes | memoryview) -> str:
    """Sixteen hexadecimal digits that identify the content."""
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def file_digest(path: Path) -> str:
    """`content_digest` of a file, read in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder's lock; the system frees it when the process ends, however it ends.

    Raises
    ------
    ValueError
        Another process holds it.
    """
    with open(folder / "lock", "a+", encoding="utf-8") as file:
        if fcntl is not None:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                holder = file.read().strip() or "unknown"
                raise ValueError(
                    f"store {folder} is in use by another run (process {holder}): "
                    "wait until it ends, or name another folder"
                ) from None
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
