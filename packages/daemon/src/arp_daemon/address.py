"""How an instance is reached: one value, made once, and used for every call from the first probe on."""

from __future__ import annotations

from urllib.parse import quote

import msgspec


class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where connections go, and what is said there.

    A name is looked up once, when its instance is registered, and never again: whoever changes it later (DNS
    rebinding) changes nothing here. `arp_daemon.transport` is the one place that makes a connection of it.
    """

    base_url: str
    """The base of every request's URL; its host goes into the Host header."""
    ip: str | None = None
    """The number that connections go to; without it they go to that in `base_url`."""
    uds: str | None = None
    """The path of the Unix socket that connections go to."""

    @property
    def endpoint(self) -> str:
        """What people are shown, and what a selector names: a URL; of a Unix socket, its path is the host, escaped."""
        return self.base_url if self.uds is None else f"http+unix://{quote(self.uds, safe='')}"
