"""Who is at the other end of a loopback connection."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from arp_service.peer import PeerLookup, can_look_up_peers, own_uid

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not can_look_up_peers(), reason="this platform does not tell a peer's user")

_NOBODY = 65534
_CONNECT_AS = """
import encodings.idna, os, socket, sys  # what the stranger may be unable to read is loaded first
os.setuid(int(sys.argv[2]))
with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    sys.stdin.read()
"""


@contextmanager
def _lookup() -> Iterator[PeerLookup]:
    lookup = PeerLookup()
    try:
        yield lookup
    finally:
        lookup.close()


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_the_own_user_is_told_over_both_families(family: socket.AddressFamily, host: str) -> None:
    """A connection of this process belongs to this process's user."""
    with socket.create_server((host, 0), family=family) as listener:
        address = listener.getsockname()
        with socket.create_connection(address[:2]) as client, _lookup() as lookup:
            accepted, peer = listener.accept()
            with accepted:
                assert lookup.find_uid(peer[:2], address[:2]) == own_uid()
                assert client.fileno() >= 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_another_user_is_told_apart() -> None:
    """A connection of user `nobody` is shown as nobody's."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        command = [sys.executable, "-c", _CONNECT_AS, str(port), str(_NOBODY)]
        with subprocess.Popen(command, stdin=subprocess.PIPE) as stranger, _lookup() as lookup:
            listener.settimeout(10)
            accepted, peer = listener.accept()
            with accepted:
                assert lookup.find_uid(peer, accepted.getsockname()) == _NOBODY
            assert stranger.stdin is not None
            stranger.stdin.close()


def test_a_peer_that_has_closed_is_nobody() -> None:
    """A closed peer would show as user 0: it must count as a stranger instead."""
    with socket.create_server(("127.0.0.1", 0)) as listener, _lookup() as lookup:
        client = socket.create_connection(listener.getsockname())
        accepted, peer = listener.accept()
        with accepted:
            client.close()
            assert accepted.recv(1) == b""
            assert lookup.find_uid(peer, accepted.getsockname()) is None


def test_an_address_that_nobody_has_is_nobody() -> None:
    """A four-tuple that is no connection gives no user."""
    with _lookup() as lookup:
        assert lookup.find_uid(("127.0.0.1", 1), ("127.0.0.1", 2)) is None
