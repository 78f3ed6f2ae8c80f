"""What a program says: a line of JSON for each fact, without what differs from one run of it to the next."""

from __future__ import annotations

import json
import re
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from arp_sdk.errors import ArpApiError

if TYPE_CHECKING:
    from collections.abc import Callable

# What is new in every run, and what it is called in the transcript.
_MASKS = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "<time>"),
    (re.compile(r"\b(inst|run)_[0-9a-z]{10,}\b"), r"<\1>"),
    (re.compile(r'"duration_ms":[\d.]+'), '"duration_ms":<ms>'),
    (re.compile(r"127\.0\.0\.1:\d+"), "<address>"),
]


def tell(what: str, value: Any) -> None:
    """Print a fact. No two of a program have the same name."""
    print(json.dumps({"what": what, "value": plain(value)}, sort_keys=True), flush=True)


def tell_error(what: str, call: Callable[[], Any]) -> None:
    """Print how a call fails."""
    try:
        value = call()
    except ArpApiError as error:
        tell(what, ["ArpApiError", error.status_code, error.code, error.message, error.details, error.raw, str(error)])
    except Exception as error:  # noqa: BLE001 - which one it is, is the fact
        tell(what, next(base.__name__ for base in type(error).__mro__ if base.__module__ == "builtins"))
    else:
        tell(what, ["no error", value])


def plain(value: Any) -> Any:
    """The value as JSON has it, what is new in every run masked."""
    if hasattr(value, "to_dict"):
        return plain(value.to_dict())
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return f"<time, aware: {value.utcoffset() is not None}>"
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, str):
        for pattern, name in _MASKS:
            value = pattern.sub(name, value)
        return value
    return value if isinstance(value, bool | int | float | None) else repr(value)
