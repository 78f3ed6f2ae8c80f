"""Run events as lines: what each type looks like, and that nothing a runtime sends breaks it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from arp_cli.event_lines import answer_text, describe, event_line, token_text
from arp_sdk.models import RunEventType
from cli.arpctl import run_event

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
KEYS = st.sampled_from(["name", "text", "tool_id", "args", "ok", "result", "error", "output", "code", "message"])


@pytest.mark.parametrize(
    ("type_", "data", "expected"),
    [
        ("step", {"name": "plan", "action": "call_tool", "n": 3}, "plan  action=call_tool n=3"),
        ("step", {"name": "plan"}, "plan"),
        ("step", {"what": "else"}, '{"what":"else"}'),
        ("step", None, "{}"),
        ("tool_call", {"call_id": "c", "tool_id": "calc", "args": {"expression": "1+1"}}, 'calc(expression="1+1")'),
        ("tool_call", {"tool_id": "clock", "args": {}}, "clock()"),
        ("tool_call", {"tool_name": "clock"}, '{"tool_name":"clock"}'),
        ("tool_result", {"tool_id": "calc", "ok": True, "result": {"text": "2", "value": 2}}, "calc → 2"),
        ("tool_result", {"tool_id": "calc", "ok": True, "result": [1]}, "calc → [1]"),
        (
            "tool_result",
            {"tool_id": "calc", "ok": False, "error": {"code": "tool_failed", "message": "No."}},
            "calc failed: tool_failed: No.",
        ),
        ("tool_result", {"tool_id": "calc", "ok": False}, "calc failed: null"),
        ("token", {"text": "a\nb"}, "a b"),
        ("token", {"tokens": 1}, '{"tokens":1}'),
        ("final", {"ok": True, "output": {"answer": "42"}}, "42"),
        ("final", {"ok": True, "output": {"n": 1}}, '{"n":1}'),
        ("error", {"ok": False, "error": {"code": "bad", "message": "Why."}}, "bad: Why."),
        ("error", None, "{}"),
    ],
)
def test_an_event_is_told_in_one_line(type_: str, data: dict[str, Any] | None, expected: str) -> None:
    """What our runtime sends reads well; what another sends is shown as JSON."""
    assert describe(run_event(type_, data)) == expected


@settings(max_examples=50)
@given(st.sampled_from(RunEventType), st.dictionaries(KEYS, JSON))
def test_any_data_makes_one_line_without_controls(type_: RunEventType, data: dict[str, Any]) -> None:
    """A runtime may put anything into `data`."""
    line = event_line(run_event(type_.value, data)).plain
    assert line.startswith(f"  {type_.value}")
    assert "\n" not in line
    assert "\x1b" not in line


def test_a_token_keeps_its_line_ends_and_spaces() -> None:
    """Tokens join to the text that the agent wrote."""
    assert token_text(run_event("token", {"text": " two\n words \x1b[1m"})) == " two\n words "


def test_an_answer_in_words_is_shown_as_words() -> None:
    """Only an output without one is shown as JSON."""
    assert answer_text({"answer": "a [red]b[/]", "n": 1}) == "a [red]b[/]"
    assert answer_text({"answer": 1}) == '{"answer":1}'
