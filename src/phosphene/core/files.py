"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from phosphene.core.errors import InputError, StorageError


def write_atomically(path: Path, content: bytes) -> None:
    """Write one file, all or nothing."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_flushed(temporary, content)
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise StorageError(f"{path}: could not be saved ({error.strerror})") from error


def make_folder(folder: Path) -> None:
    """Make ``folder``, and those that it is in, where they are not there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: cannot be made ({error.strerror})") from error


@contextmanager
def alone_in(folder: Path, wait: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold ``folder`` for one process at a time; a process that dies lets go of it.

    Who holds it may ask for it again.

    Args:
        folder: what two processes must not write at the same moment.
        wait: told, once, that another process has the folder, before waiting for it; without
            ``wait`` that is an error.

    Raises:
        InputError: another process has the folder.
    """
    lock = FileLock(folder / ".lock", is_singleton=True)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            if wait is None:
                raise InputError(f"{folder}: another process is working in this folder") from error
            wait(f"{folder}: waiting for the process that is working there")
            lock.acquire()
    except OSError as error:
        raise StorageError(f"{folder}: cannot be written ({error.strerror})") from error
    try:
        yield
    finally:
        lock.release()


def write_flushed(path: Path, content: bytes) -> None:
    """Write ``content`` and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Wait until the names in ``folder`` are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
