"""Disks of a test's own: small ones that fill up, and such as are read only. Only root can have them."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def small_disk(folder: Path, mebibytes: int) -> Iterator[None]:
    """A disk of a few mebibytes at `folder`, in memory, which is gone afterwards.

    Raises:
        subprocess.CalledProcessError: it may not be mounted.
    """
    folder.mkdir(exist_ok=True)
    _run("mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=0700", "tmpfs", str(folder))
    try:
        yield
    finally:
        _run("umount", "--lazy", str(folder))


def set_read_only(folder: Path, *, read_only: bool) -> None:
    """Let nobody write to a disk any more, or again."""
    _run("mount", "-o", f"remount,{'ro' if read_only else 'rw'}", str(folder))


@cache
def may_mount() -> bool:
    """Whether disks can be had here."""
    if os.getuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            with small_disk(Path(folder), 1):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


def fill(folder: Path) -> Path:
    """Fill the disk to the last byte; return the file that does."""
    filler = folder / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (65536, 512, 1):
            with suppress(OSError):  # there is no more room for so much
                while True:
                    file.write(bytes(size))
    return filler


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
