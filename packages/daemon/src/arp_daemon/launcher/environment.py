"""What of its surroundings the launcher and its templates see."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["reduce_environment"]

# The same code, temporary folder, time and language as the daemon's.
_KEPT_VARIABLES = ("HOME", "LANG", "LOGNAME", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "USER")
_KEPT_PREFIX = "LC_"


def reduce_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what Python needs to run this project's code, and nothing that may be secret.

    An instance forked from a template can read its template's first environment in /proc, so this matters there
    as well.
    """
    return {name: value for name, value in environ.items() if name in _KEPT_VARIABLES or name.startswith(_KEPT_PREFIX)}
