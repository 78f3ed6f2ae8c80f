"""What a run had done when the daemon ended it, read from its stored events: the answer so far, and what it used."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from arp_model import RunEventType

if TYPE_CHECKING:
    from arp_daemon.store import Store

# So many events at a time are read, and of what was said so much is kept, in characters.
_PAGE = 500
_MAX_SAID = 1024 * 1024


class DoneSoFar(NamedTuple):
    """As our runtime puts it into a result: `output` is None where nothing was said."""

    output: dict[str, Any] | None
    usage: dict[str, Any]


class _Text(msgspec.Struct):
    text: str = ""


class _Token(msgspec.Struct):
    data: _Text = msgspec.field(default_factory=_Text)


_decoder = msgspec.json.Decoder(_Token)


async def read_done_so_far(store: Store, position: int, first_seq: int) -> DoneSoFar:
    """Read what the attempt whose first event has `first_seq` has said.

    Raises:
        StoreUnavailableError, CorruptRecordError: it cannot be read.
    """
    said: list[str] = []
    size = 0
    counts: Counter[str] = Counter()
    seq = first_seq
    while events := await store.list_events(position, seq, _PAGE):
        seq = events[-1].next_seq
        for some in events:
            counts.update(some.types)
            for type_, event in zip(some.types, some.each(), strict=True):
                if type_ == RunEventType.TOKEN and size < _MAX_SAID:
                    text = _text_of(event)[: _MAX_SAID - size]
                    size += len(text)
                    said.append(text)
    tool_calls = counts[RunEventType.TOOL_CALL]
    usage = {
        "steps": counts[RunEventType.STEP] + tool_calls,
        "tool_calls": tool_calls,
        "tokens": counts[RunEventType.TOKEN],
    }
    return DoneSoFar({"answer": "".join(said), "partial": True} if size else None, usage)


def _text_of(event: bytes) -> str:
    """Agents of other runtimes may mean something else by a token: then it says nothing."""
    try:
        return _decoder.decode(event).data.text
    except msgspec.ValidationError:
        return ""
