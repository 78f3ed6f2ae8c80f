"""Who is at the other end of a loopback connection: one exact question to the kernel (sock_diag(7)).

A loopback TCP socket belongs to a user, and the kernel knows which. The question names the client's socket by
its four-tuple, takes some 13 us, and is asked anew for each request: an address is soon another program's.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import sys
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h
_NETLINK_SOCK_DIAG = 4
_SOCK_DIAG_BY_FAMILY = 20
_NLM_F_REQUEST = 1
_TCP_ESTABLISHED = 1
_NO_COOKIE = b"\xff" * 8
_REPLY_BYTES = 4096
# The kernel answers at once; this only bounds a broken kernel. As an option of the socket, a `timeval`: a timeout of
# Python's own would ask whether there is an answer before it asks for it, a third of the time that a question takes.
_ANSWER_WITHIN = struct.pack("ll", 1, 0)
# The numbers of both ends, as they stand in a question: few, and always the same.
_NUMBERS_REMEMBERED = 64

_HEADER = struct.Struct("=LHHLL")  # nlmsghdr: length, type, flags, sequence, port
_REQUEST = struct.Struct("=BBBBL")  # inet_diag_req_v2 up to the socket id: family, protocol, ext, pad, states
_ADDRESSES = struct.Struct("!HH16s16s")  # source port, destination port, source, destination
_INTERFACE = struct.Struct("=L")
# inet_diag_msg: family, state, timer, retrans; then the 48-byte socket id; then expires, rqueue, wqueue, uid, inode
_MESSAGE = struct.Struct("=BBBB48sLLLLL")

Address = tuple[str, int]


class PeerLookup:
    """Asks the kernel for the user of a peer. Owns one netlink socket, for `with`, or close it."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _ANSWER_WITHIN)
        self._sequence = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the netlink socket."""
        self._socket.close()

    def find_uid(self, client: Address, server: Address) -> int | None:
        """Return the user id that owns the client's end of this connection, or None.

        None: the socket is not established any more, or has no inode (a peer that has closed shows as user 0),
        or is not on this machine. A caller must take None for a stranger.
        """
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        try:
            return self._ask(_question(client, server, self._sequence))
        except OSError:  # the kernel does not answer: nobody is known
            return None

    def _ask(self, question: bytes) -> int | None:
        self._socket.send(question)
        while True:
            reply = self._socket.recv(_REPLY_BYTES)
            _length, kind, _flags, sequence, _port = _HEADER.unpack_from(reply)
            if sequence == self._sequence:
                return _read_uid(reply) if kind == _SOCK_DIAG_BY_FAMILY else None


def can_look_up_peers() -> bool:
    """Whether this platform tells the user of a loopback peer."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        PeerLookup().close()
    except OSError:
        return False
    return True


def _question(client: Address, server: Address, sequence: int) -> bytes:
    family, source = _packed(client[0])
    _, destination = _packed(server[0])
    body = (
        _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 1 << _TCP_ESTABLISHED)
        + _ADDRESSES.pack(client[1], server[1], source, destination)
        + _INTERFACE.pack(0)
        + _NO_COOKIE
    )
    return _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, sequence, 0) + body


@lru_cache(_NUMBERS_REMEMBERED)
def _packed(number: str) -> tuple[int, bytes]:
    """The address family of a number, and its 16 bytes."""
    address = ipaddress.ip_address(number)
    return (socket.AF_INET if address.version == 4 else socket.AF_INET6), address.packed.ljust(16, b"\0")


def _read_uid(reply: bytes) -> int | None:
    _family, state, _timer, _retrans, _id, _expires, _rqueue, _wqueue, uid, inode = _MESSAGE.unpack_from(
        reply, _HEADER.size
    )
    return uid if state == _TCP_ESTABLISHED and inode != 0 else None


def own_uid() -> int:
    """The user id that this process acts as."""
    return os.geteuid()
