"""Where a client's bearer token comes from, and to whom it may go. This is decided here and nowhere else.

In this order: the argument `token`; the variable `ARP_<SERVICE>_TOKEN`; for a daemon on this machine, the file `token`
in its data folder. A token belongs to an address: that of the variable goes to no other than `ARP_<SERVICE>_URL` names,
where that is set, and that of the file never leaves this machine.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from arp_sdk._http import is_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_FILE = "token"  # noqa: S105 - the name of it
# More than this is no token, in bytes.
_MAX_TOKEN = 4096


class Token:
    """A secret that does not show itself."""

    __slots__ = ("_value",)

    def __init__(self, value: str, origin: str) -> None:
        """Take it from `origin`, which errors name. Raises ValueError where no header can carry it."""
        # RFC 6750 allows less, but what a service made up it can also read again.
        if not value or len(value) > _MAX_TOKEN or not value.isascii() or not value.isprintable() or " " in value:
            raise ValueError(f"{origin}: a token is one word of visible ASCII characters, {_MAX_TOKEN} at most")
        self._value = value

    def __repr__(self) -> str:
        return "Token(...)"

    def header(self) -> str:
        """The value of the `Authorization` header."""
        return f"Bearer {self._value}"


def find_token(
    service: str, address: httpx.URL, given: str | None, environ: Mapping[str, str] = os.environ
) -> Token | None:
    """Return the token for a service at an address, or None.

    `given` is the argument; where it is empty, no token is looked for. Raises ValueError for one that cannot be used.
    """
    if given is not None:
        return Token(given, "token") if given else None
    variable = f"ARP_{service.upper()}"
    value = environ.get(f"{variable}_TOKEN")
    if value and _same_origin(address, environ.get(f"{variable}_URL")):
        return Token(value, f"{variable}_TOKEN")
    if service == "daemon" and is_loopback(address.host):
        return read_token_file(data_folder(environ) / TOKEN_FILE)
    return None


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The data folder of this user's daemon, as the daemon itself finds it."""
    named = environ.get("ARP_DAEMON_DATA_DIR")
    if named:
        return Path(named)
    # Only clients of a daemon on this machine need it.
    import platformdirs  # noqa: PLC0415 - see above

    return Path(platformdirs.user_data_dir("arp-daemon", appauthor=False))


def read_token_file(path: Path) -> Token | None:
    """Return the token in a file, or None where there is none for this user.

    Raises ValueError for a file that is not this user's alone: whoever may write it could have put it there.
    """
    try:
        # Another's FIFO must not keep a client waiting.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        # A folder that this user cannot read is not that of this user's daemon.
        return None
    except OSError as exc:
        raise ValueError(f"{path}: the token cannot be read: {exc.strerror}") from None
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{path}: the token is to be in a regular file")
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or stat.S_IMODE(found.st_mode) & 0o077):
            raise ValueError(f"{path}: the token's file must be yours alone (chown to you, chmod 600)")
        text = file.read(_MAX_TOKEN + 2)
    return Token(text.decode("ascii", "replace").strip(), str(path))


def _same_origin(address: httpx.URL, named: str | None) -> bool:
    """Tell whether a token that was set beside the address `named` belongs to this one; beside none, it does."""
    if not named:
        return True
    try:
        other = httpx.URL(named)
    except httpx.InvalidURL:
        return False
    return _origin(address) == _origin(other)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
