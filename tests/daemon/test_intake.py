"""What an instance says, taken in: the same whether it comes all at once or in pieces."""

from __future__ import annotations

import itertools
import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_daemon.intake import take
from arp_daemon.open_run import OpenRun, Phase
from arp_daemon.redaction import HIDDEN, Redactor
from arp_daemon.selector import Selector
from arp_daemon.store import RunRecord, StoredEvents
from arp_daemon.wire_events import WireEvent, decode_event, decode_events, encode_event, encode_events
from arp_model import RunEventType, RunState
from arp_service.sse import frame

if TYPE_CHECKING:
    from collections.abc import Sequence

_NOW = datetime(2026, 1, 2, tzinfo=timezone.utc)
# What an instance may say next: mostly the next event, or one that has come before.
_STEPS = st.lists(st.sampled_from(["next", "next", "next", "again", "other", "gap", "final", "no-result"]), max_size=12)


def _run(*, next_seq: int = 0, token: str = "r") -> OpenRun:
    """One whose attempt has said nothing yet; `next_seq` is after what earlier attempts have said."""
    run = OpenRun(RunRecord(position=1, run_id="r", state=RunState.RUNNING, created_at=_NOW, request=b"{}"), Selector())
    run.begin_at(next_seq)
    run.first_seq, run.token, run.phase = next_seq, token, Phase.ACCEPTED
    return run


def _token(seq: int, text: str = "x", run_id: str = "r") -> WireEvent:
    return WireEvent(run_id, seq, RunEventType.TOKEN, _NOW, {"text": f"{text} {seq}"})


def _script(steps: Sequence[str]) -> list[WireEvent]:
    seq = 0
    said: list[WireEvent] = []
    for step in steps:
        if step in {"again", "other"}:
            said.append(_token(max(seq - 1, 0), "x" if step == "again" else "y"))
            continue
        seq += step == "gap"
        if step == "final":
            said.append(WireEvent("r", seq, RunEventType.FINAL, _NOW, {"ok": True}))
        elif step == "no-result":
            said.append(WireEvent("r", seq, RunEventType.FINAL, _NOW, {"ok": "perhaps"}))
        else:
            said.append(_token(seq))
        seq += 1
    return said


def _log(run: OpenRun, pieces: list[list[WireEvent]], redactor: Redactor | None = None) -> list[StoredEvents]:
    """What is stored of it; each piece is shown before the next one comes."""
    stored: list[StoredEvents] = []
    for piece in pieces:
        if not run.ended:
            taken = [one.events for one in take(run, piece, redactor or Redactor())]
            if taken:
                run.show(taken)
            stored += taken
    return stored


def _events(stored: list[StoredEvents]) -> list[dict[str, Any]]:
    """Without the time of an end that the daemon made."""
    return [{**json.loads(event), "time": ""} for some in stored for event in some.each()]


@given(_STEPS, st.sets(st.integers(1, 12)), st.sampled_from([(0, "r"), (3, "run_2")]))
def test_what_is_stored_does_not_depend_on_how_the_events_come(
    steps: list[str], cuts: set[int], attempt: tuple[int, str]
) -> None:
    """One by one, all at once, or in pieces; the seq is the daemon's own, and ends with one last event."""
    said = _script(steps)
    edges = [0, *sorted(cut for cut in cuts if cut < len(said)), len(said)]
    runs = [_run(next_seq=attempt[0], token=attempt[1]) for _ in range(3)]
    singly = _log(runs[0], [[event] for event in said])
    in_pieces = _log(runs[1], [said[a:b] for a, b in itertools.pairwise(edges)])
    together = _log(runs[2], [said])
    assert _events(singly) == _events(in_pieces) == _events(together)
    assert [event["seq"] for event in _events(together)] == [*range(attempt[0], runs[2].next_seq)]
    assert [type_ for some in together for type_ in some.types] == [event["type"] for event in _events(together)]
    assert len({(run.phase, run.next_seq, run.expected_seq) for run in runs}) == 1


def test_an_event_that_came_again_with_other_content_in_the_same_piece_ends_the_run() -> None:
    """Also before it has been stored or shown."""
    run = _run()
    [first, last] = _events(_log(run, [[_token(0), _token(1), _token(0, "y")]]))[1:]
    assert (first["seq"], last["type"]) == (1, "error")
    assert "came again with other content" in last["data"]["error"]["message"]


def test_secrets_are_hidden_in_all_of_many_events() -> None:
    """As in one."""
    redactor = Redactor()
    redactor.add(["s3cret"])
    [stored] = _log(_run(), [[_token(0, "s3cret"), _token(1, "s3cret")]], redactor)
    assert [event["data"]["text"] for event in _events([stored])] == [f"{HIDDEN} 0", f"{HIDDEN} 1"]


@pytest.mark.parametrize("first", [WireEvent("r", 0, RunEventType.TOKEN, _NOW), _token(5), _token(0, run_id="run_2")])
def test_many_events_are_encoded_as_each_of_them_is(first: WireEvent) -> None:
    """Under the daemon's own id and seq, whoever they came from; what is absent stays absent."""
    others = [_token(first.seq + 1, "é\n\u2028\r", first.run_id), _token(first.seq + 2, "", first.run_id)]
    events = [first, *others]
    assert encode_events(events, "r", 0).split(b"\n") == [encode_event(e, "r", seq) for seq, e in enumerate(events)]


def test_many_lines_are_decoded_as_each_of_them_is() -> None:
    """All at once or one by one: the same values."""
    lines = [encode_event(_token(seq), "r", seq) for seq in range(3)]
    assert decode_events(lines) == [decode_event(line) for line in lines]


@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.integers(0, 30))
def test_a_watcher_is_shown_the_rest_from_wherever_it_is(pieces: list[int], position: int) -> None:
    """Also from the middle of what was stored together."""
    run = _run()
    for count in pieces:
        _log(run, [[_token(run.next_seq + n) for n in range(count)]])
    rest = [_token(seq) for seq in range(position, sum(pieces))]
    whole = [frame(str(event.seq), "token", encode_event(event, "r", event.seq)) for event in rest]
    assert run.shown_from(position) == b"".join(whole)
    assert run.frame_at(position) == (whole[0] if whole else None)


@pytest.mark.parametrize(
    ("pieces", "kept_kb"), [([1] * 30, 256), ([30], 310), ([5, 29], 300), ([25, 5], 256), ([300], 2048)]
)
def test_who_was_there_before_many_events_came_is_shown_them_from_memory(pieces: list[int], kept_kb: int) -> None:
    """All that came together is kept, up to 2 MiB; of what came before, as much as there is room in 256 KiB."""
    run = _run()
    for count in pieces:
        _log(run, [[_token(run.next_seq + n, "x" * 10_000) for n in range(count)]])
    assert run.tail_bytes == sum(shown.size for shown in run.tail)
    assert kept_kb * 1024 * 0.85 < run.tail_bytes <= kept_kb * 1024
    assert run.shown_from(run.tail_start) is not None
    assert run.tail_start == 0 or run.shown_from(run.tail_start - 1) is None
    assert run.tail_start <= sum(pieces[:-1]) or kept_kb == 2048
