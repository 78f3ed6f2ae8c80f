"""What of its surroundings the launcher and its templates see."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["reduce_environment"]

# The same code, temporary folder, time and language as the daemon's; and whether coverage is being measured.
_KEPT_VARIABLES = ("HOME", "LANG", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "PYTHONPATH", "TMPDIR", "TZ", "USER")
_KEPT_PREFIXES = ("COVERAGE_", "LC_")


def reduce_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Return what Python needs to run this project's code, and nothing that may be secret.

    An instance forked from a template can read its template's first environment in /proc, so this matters there
    as well.
    """
    kept = (name for name in environ if name in _KEPT_VARIABLES or name.startswith(_KEPT_PREFIXES))
    return {name: environ[name] for name in kept}
