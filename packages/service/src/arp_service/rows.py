"""How values stand in rows of a database: times as whole microseconds, content beside its checksum. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zlib import crc32

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(time: datetime) -> int:
    """An aware time as it is stored."""
    return (time - _EPOCH) // _MICROSECOND


def to_time(microseconds: int) -> datetime:
    """A time as it was stored."""
    return _EPOCH + timedelta(microseconds=microseconds)


def find_time(microseconds: int | None) -> datetime | None:
    """A time as it was stored, where there is one."""
    return None if microseconds is None else to_time(microseconds)


def checksum(key: str, content: bytes) -> int:
    """The CRC-32 of a row's content and of what names the row: SQLite itself does not notice a flipped bit."""
    return crc32(content, crc32(key.encode()))


def is_whole(key: str, content: object, stored_sum: int | None) -> bool:
    """Whether a row's content is what was stored; a flipped bit can also make something else of it than bytes."""
    return isinstance(content, bytes) and checksum(key, content) == stored_sum
