"""How often each thing is broken: in full by `nox -s faults`, a tenth of it or less among all other tests."""

from __future__ import annotations

import os

IS_FULL = os.environ.get("ARP_FAULTS") == "full"


def times(full: int, share: int | None = None) -> int:
    """`full` repetitions in the whole suite; among the other tests `share`, by default a tenth."""
    if IS_FULL:
        return full
    return full // 10 if share is None else share
