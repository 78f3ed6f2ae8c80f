"""The ids of runs, made before they are sent."""

from __future__ import annotations

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_run_id() -> str:
    """Return an id like those that a daemon assigns, and that sorts by the time of its making among them.

    `run_`, then 48 bits of milliseconds and 80 random bits in Crockford's base 32, as the ULID specification has it.
    """
    number = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    return "run_" + "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
