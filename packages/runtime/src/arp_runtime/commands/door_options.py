"""What `arp-runtime serve` is told of those who may call it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from arp_service.door import read_host
from arp_service.peer import own_uid
from arp_service.token_file import TokenFile, open_token_file


@Parameter(name="*")
@dataclass(frozen=True)
class DoorOptions:
    """Who gets in.

    Parameters
    ----------
    token_file
        The file of a token that lets in whoever shows it; made where there is none.
    allow_host
        What this machine may be called in requests, beside loopback and the number that is called. May be repeated.
    admit_uid
        The number of another user who may call it over loopback: a daemon's that has it run as somebody else.
    """

    token_file: Path | None = None
    allow_host: Annotated[list[str] | None, Parameter(negative=())] = None
    admit_uid: int | None = None

    def open_token(self) -> TokenFile | None:
        """The token that is in force. Raises TokenFileError where it cannot be had."""
        return None if self.token_file is None else open_token_file(self.token_file.absolute())

    def uids(self) -> set[int]:
        """The users who need no token over loopback."""
        return {own_uid()} if self.admit_uid is None else {own_uid(), self.admit_uid}

    def allowed_hosts(self) -> list[str]:
        """What requests may call this machine; ends the program where that makes no sense."""
        try:
            return [read_host(given) for given in self.allow_host or ()]
        except ValueError as exc:
            sys.exit(f"arp-runtime: --allow-host {exc}.")


NO_DOOR_OPTIONS = DoorOptions()
