"""`env_from` of a profile: values that are fetched when an instance is launched, and never stored.

A profile cannot read what the operator does not offer: files come from one folder of secrets, variables of the
daemon only where `--allow-env-from` names them.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from arp_daemon.errors import InstanceStartError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arp_daemon.exec_spec import EnvFrom

# Linux takes 128 KiB for one variable, name included (execve(2)).
_MAX_BYTES = 64 * 1024
# A secret on a hung network file system must not hold a start for ever.
_READ_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class SecretSources:
    """What the operator offers: a folder, and names of variables in `environ`."""

    folder: Path
    environ: Mapping[str, str]
    lent: frozenset[str] = frozenset()


async def resolve_env_from(wanted: Mapping[str, EnvFrom], sources: SecretSources) -> dict[str, str]:
    """Return the values. Called at each launch.

    Raises:
        InstanceStartError: one cannot be had; the message names the variable, and never a value.
    """
    values = {}
    for name, reference in wanted.items():
        try:
            if reference.file is not None:
                values[name] = await _read(sources.folder, reference.file)
            else:
                values[name] = _borrow(sources, str(reference.env))
        except (OSError, ValueError, TimeoutError) as exc:
            reason = exc.strerror if isinstance(exc, OSError) and exc.strerror else str(exc)
            message = f"Variable {name!r} of env_from cannot be had: {reason}."
            raise InstanceStartError(message, details={"variable": name}) from exc
    return values


def _borrow(sources: SecretSources, name: str) -> str:
    if name not in sources.lent:
        raise ValueError(f"the operator does not lend {name!r}; see --allow-env-from")
    if name not in sources.environ:
        raise ValueError(f"the daemon has no variable {name!r}")
    value = sources.environ[name]
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name!r} is not UTF-8") from None
    return value


async def _read(folder: Path, name: str) -> str:
    with anyio.fail_after(_READ_TIMEOUT_S):
        data = await anyio.to_thread.run_sync(partial(_read_file, folder, name), abandon_on_cancel=True)
    try:
        value = data.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{name!r} is not UTF-8") from None
    if "\0" in value:
        raise ValueError(f"{name!r} holds a NUL")
    return value.removesuffix("\n").removesuffix("\r")


def _read_file(folder: Path, name: str) -> bytes:
    # Links are followed, as orchestrators make them to swap secrets, but only within the folder.
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise ValueError(f"{name!r} is outside the folder of secrets")
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError(f"{name!r} is no file")
        data = file.read(_MAX_BYTES + 1)
    if len(data) > _MAX_BYTES:
        raise ValueError(f"{name!r} is over {_MAX_BYTES} bytes")
    return data
