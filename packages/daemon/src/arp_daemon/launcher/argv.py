"""From a launch spec to what execve takes. Pure, but for looking a program up."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from arp_daemon.launcher.errors import InvalidSpecError, ProgramNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["find_program", "substitute"]

_PLACEHOLDER = re.compile(r"\{(host|port|fd|uds)\}")


def substitute(argv: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """Return `argv` with `{host}`, `{port}`, `{fd}` and `{uds}` replaced from `values`; all other braces stay.

    Raises:
        InvalidSpecError: an item needs a value that this launch does not have.
    """

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise InvalidSpecError(f"argv uses {{{name}}}, which `listen` of this launch does not provide.")
        return values[name]

    return [_PLACEHOLDER.sub(value_of, item) for item in argv]


def find_program(name: str, env: Mapping[str, str], cwd: str) -> str:
    """Return the absolute path of the program `name`, searched on the PATH of `env` as execvp(3) would.

    A name with a slash is taken from `cwd`. Relative entries of PATH are skipped: what runs must not depend
    on the directory.

    Raises:
        ProgramNotFoundError: there is no such executable file.
    """
    if "/" in name:
        candidates = [Path(cwd, name)]
    else:
        entries = env.get("PATH", "").split(os.pathsep)
        candidates = [Path(entry, name) for entry in entries if Path(entry).is_absolute()]
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return str(candidate)
    place = f"in {cwd}" if "/" in name else f"on PATH {env.get('PATH', '')!r}"
    raise ProgramNotFoundError(f"There is no executable file {name!r} {place}.")
