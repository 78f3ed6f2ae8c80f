"""Who gets in: the own user over loopback, told by the kernel, and whoever shows the token where one is in force.

On loopback the kernel tells the peer's user on each request. A forwarding header means a proxy, behind which anybody
may stand. A token that is shown counts alone: a wrong one is refused, whoever shows it (RFC 6750, 3.1).
"""

from __future__ import annotations

import ipaddress
from contextlib import contextmanager
from enum import Enum
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from arp_service.errors import ForbiddenError, ServiceError, UnauthorizedError
from arp_service.peer import PeerLookup, can_look_up_peers
from arp_service.token_file import TokenFileError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from starlette.datastructures import Headers
    from starlette.types import Scope

    from arp_service.peer import Address
    from arp_service.token_file import TokenFile

_FORWARDING = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"via"}
)
# The standard has them told without a token. No more than that the service lives is told so.
_TOLD_TO_ALL = frozenset({"/v1/health", "/v1/version"})
_STRANGER = "arp.stranger"
# Of clients' numbers it is remembered which are loopback.
_NUMBERS_REMEMBERED = 64


class InvalidTokenError(UnauthorizedError):
    """A token is shown, and it is not the one in force (RFC 6750, 3.1)."""

    code = "invalid_token"

    def __init__(self, message: str) -> None:
        super().__init__(message, challenge='Bearer error="invalid_token"')


class TokenUse(Enum):
    """What a token is to a service."""

    IGNORED = "ignored"
    OPTIONAL = "optional"
    """Some get in without."""
    REQUIRED = "required"


class Admission(Protocol):
    """Who gets in."""

    @property
    def description(self) -> str:
        """In words, for the document of the API."""

    @property
    def token(self) -> TokenUse:
        """Whether there is a token to show."""

    def __call__(self, scope: Scope, headers: Headers) -> None:
        """Raise unless this request may come in."""


class OwnUserOnly:
    """Admits requests of its own user (and of others that were named) over loopback, told by the kernel."""

    token = TokenUse.IGNORED

    def __init__(self, lookup: PeerLookup, *uids: int) -> None:
        self._lookup = lookup
        self._uids = frozenset(uids)

    @property
    def users(self) -> str:
        """In words."""
        return " and ".join(f"the user {uid}" for uid in sorted(self._uids))

    @property
    def description(self) -> str:
        """See `Admission`."""
        return f"It answers to {self.users} alone, over loopback: the kernel tells who calls, so there is no token."

    def __call__(self, scope: Scope, headers: Headers) -> None:
        """Raise unless the peer is one of the users, directly connected."""
        for header in _FORWARDING.intersection([name for name, _ in headers.raw]):
            name = header.decode()
            raise UnauthorizedError(f"The header {name!r} means a proxy: what comes through one needs a token.")
        client: Address | None = scope.get("client")
        server: Address | None = scope.get("server")
        uid = None if client is None or server is None else self._lookup.find_uid(client, server)
        if uid is None:
            raise UnauthorizedError("The user behind this connection cannot be told.")
        if uid not in self._uids:
            raise ForbiddenError("Only the user that this service runs as may call it without a token.")


class TokenHolders:
    """Admits whoever shows the token, and over loopback those of `own_user` without one.

    Whoever does not get in is told health and version, and no more of them than the standard asks for.
    """

    def __init__(self, token_file: TokenFile, own_user: OwnUserOnly | None) -> None:
        """Without `own_user`, because nobody tells whose a connection is, everybody needs the token."""
        self._token_file = token_file
        self._own_user = own_user

    @property
    def token(self) -> TokenUse:
        """See `Admission`."""
        return TokenUse.REQUIRED if self._own_user is None else TokenUse.OPTIONAL

    @property
    def description(self) -> str:
        """See `Admission`."""
        others = "" if self._own_user is None else f", and over loopback to {self._own_user.users} without it"
        return f"It answers to whoever shows its bearer token{others}. Health and version are told to everybody."

    def __call__(self, scope: Scope, headers: Headers) -> None:
        """Raise unless this request may come in."""
        try:
            self._admit(scope, headers)
        except ServiceError:
            if scope["path"] not in _TOLD_TO_ALL:
                raise
            scope[_STRANGER] = True

    def _admit(self, scope: Scope, headers: Headers) -> None:
        shown = headers.get("authorization")
        if shown is not None:
            self._check(shown)
        elif self._own_user is None or not _is_on_loopback(scope.get("client")):
            raise UnauthorizedError("This needs a token: Authorization: Bearer TOKEN.")
        else:
            try:
                self._own_user(scope, headers)
            except ForbiddenError as exc:
                message = "Only the user that this service runs as needs no token: Authorization: Bearer TOKEN."
                raise UnauthorizedError(message) from exc

    def _check(self, shown: str) -> None:
        scheme, _, token = shown.partition(" ")
        if scheme.lower() != "bearer":
            raise InvalidTokenError("The Authorization header is to be: Bearer TOKEN.")
        if not self._token_file.holds(token.strip(" ")):
            raise InvalidTokenError("This is not the token of this service.")


@contextmanager
def open_admission(uids: Collection[int], token_file: TokenFile | None) -> Iterator[Admission]:
    """Yield who gets in: over loopback these users, and by the token everybody.

    Raises:
        TokenFileError: there is no token, and this system does not tell whose a connection is.
    """
    if can_look_up_peers():
        with PeerLookup() as lookup:
            own_user = OwnUserOnly(lookup, *uids)
            yield own_user if token_file is None else TokenHolders(token_file, own_user)
    elif token_file is None:
        raise TokenFileError("This system does not tell whose a connection is: give a token, by --token-file FILE.")
    else:
        yield TokenHolders(token_file, None)


def is_stranger(scope: Scope) -> bool:
    """Whether who asks would not have got in elsewhere."""
    return _STRANGER in scope


def _is_on_loopback(client: Any) -> bool:
    return client is not None and _is_loopback_number(client[0])


@lru_cache(_NUMBERS_REMEMBERED)
def _is_loopback_number(number: str) -> bool:
    try:
        return ipaddress.ip_address(number).is_loopback
    except ValueError:
        return False
