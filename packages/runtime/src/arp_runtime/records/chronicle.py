"""What happens to runs is told here, once and in order: to whoever counts or traces it, and to the disk.

`then` shows a change to clients. It is called when the change is kept: at once where nothing is stored, else when it is
on the disk. So whatever a client has seen, a state or an event, is still there after a restart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from arp_runtime.records.changes import Change


class Keeper(Protocol):
    """Where changes survive the process."""

    def keep(self, change: Change, then: Callable[[], None]) -> None:
        """Take a change, and call `then` once it is kept; changes are kept in the order in which they come."""

    def check(self) -> None:
        """Raise `StoreUnavailableError` where nothing can be kept at the moment."""


def nothing() -> None:
    """The `then` of a change that no client sees."""


class Chronicle:
    """Owned by the run manager. `readers` hear of each change as it happens, and must not block."""

    def __init__(self, readers: Sequence[Callable[[Change], None]] = (), keeper: Keeper | None = None) -> None:
        self._readers = readers
        self._keeper = keeper

    def tell(self, change: Change, then: Callable[[], None] = nothing) -> None:
        """Tell a change, and call `then` when it is kept."""
        for read in self._readers:
            read(change)
        if self._keeper is None:
            then()
        else:
            self._keeper.keep(change, then)

    def check(self) -> None:
        """Refuse new runs where they could not be kept.

        Raises:
            StoreUnavailableError: the disk does not take them.
        """
        if self._keeper is not None:
            self._keeper.check()
