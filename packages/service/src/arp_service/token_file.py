"""The file of a service's bearer token: made where there is none, refused where it is not its user's alone.

The token itself is not kept, only a digest of it. The file is looked at whenever a token is shown: a new one in its
place counts from the next request on, and once it is gone, or others may read it, nobody gets in by it.
"""

from __future__ import annotations

import hmac
import os
import secrets
import stat
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import structlog

from arp_service.peer import own_uid

_log = structlog.get_logger(__name__)

# In bytes; what is shorter can be guessed, and what is longer a client's header may have no room for.
MIN_TOKEN, MAX_TOKEN = 16, 4096
# Of randomness: 43 characters.
_NEW_TOKEN_BYTES = 32
_ROOT = 0
# Of a file that has changed in any way, one of these has.
_Seen = tuple[int, int, int, int]


class TokenFileError(Exception):
    """The token cannot be had from its file; the message names the cure, and never the token."""


class TokenFile:
    """The token that a service asks for."""

    def __init__(self, path: Path) -> None:
        """Read it. Raises TokenFileError where the file is not there, not its user's alone, or has no token."""
        self.path = path
        self._seen = _look(path)  # before it is read, so that no change is missed
        self._digest: bytes | None = _digest(_read(path))

    def holds(self, token: str) -> bool:
        """Whether this is the token; how long it takes tells nothing of it."""
        self._look_again()
        return self._digest is not None and hmac.compare_digest(_digest(token.encode("latin-1")), self._digest)

    def _look_again(self) -> None:
        seen = _look(self.path)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._digest = _digest(_read(self.path))
        except TokenFileError as exc:
            self._digest = None
            _log.warning("token_not_usable", reason=str(exc))
        else:
            _log.info("token_replaced", token_file=str(self.path))


def open_token_file(path: Path) -> TokenFile:
    """Return the token in a file; where there is none, make one that only this user may read.

    Raises:
        TokenFileError: the file cannot be made, or cannot be used as it is.
    """
    missing = not os.path.lexists(path)
    if missing:
        try:
            _make(path)
        except OSError as exc:
            raise TokenFileError(f"{path}: no token can be put there: {exc.strerror}.") from exc
    token_file = TokenFile(path)
    _log.info("token_in_force", token_file=str(path), made_now=missing)
    return token_file


def _make(path: Path) -> None:
    """Whole, or not there; another process that makes it at the same moment may win."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, draft = tempfile.mkstemp(prefix=".token-", dir=path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(_NEW_TOKEN_BYTES) + "\n")
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(draft, path)
    finally:
        Path(draft).unlink()


def _read(path: Path) -> bytes:
    try:
        link = os.lstat(path)
        if stat.S_ISLNK(link.st_mode) and link.st_uid not in (own_uid(), _ROOT):
            raise TokenFileError(f"{path}: this is another user's link; remove it, or name another --token-file.")
        # Another's FIFO must not keep anybody waiting.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        raise TokenFileError(f"{path}: the token cannot be read: {exc.strerror}.") from exc
    try:
        _check_owner(path, os.fstat(descriptor))
        return _check_token(path, os.read(descriptor, MAX_TOKEN + 2).rstrip(b"\r\n"))
    finally:
        os.close(descriptor)


def _check_owner(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise TokenFileError(f"{path}: the token is to be in a regular file.")
    if found.st_uid not in (own_uid(), _ROOT):
        raise TokenFileError(f"{path}: the token's file is another user's; chown it to the user that serves.")
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise TokenFileError(
            f"{path}: others may read or write the token's file: chmod 600 it, and put another token into it."
        )


def _check_token(path: Path, token: bytes) -> bytes:
    """SDK and CLI take the same; that the token is long is only its service's concern."""
    if not MIN_TOKEN <= len(token) <= MAX_TOKEN or any(not 0x21 <= byte <= 0x7E for byte in token):
        raise TokenFileError(
            f"{path}: a token is one line of {MIN_TOKEN} to {MAX_TOKEN} visible ASCII characters without spaces. "
            "Remove the file to have one made at the next start."
        )
    return token


def _look(path: Path) -> _Seen | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _digest(token: bytes) -> bytes:
    return sha256(token).digest()
