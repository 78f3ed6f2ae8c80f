"""What the default agent makes of a goal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_runtime.agents.default.agent import pieces
from arp_runtime.agents.default.planner import MAX_COUNT, MAX_WAIT_S, make_plan
from arp_runtime.agents.default.plans import CallTool, Count, Fail, Plan, Wait
from arp_runtime.errors import AgentError


def _calculate(expression: str) -> CallTool:
    return CallTool("calculator", {"expression": expression})


def _clock(time_zone: str) -> CallTool:
    return CallTool("clock", {"time_zone": time_zone})


@pytest.mark.parametrize(
    ("goal", "plan"),
    [
        ("What is (19*23)?", _calculate("(19*23)")),
        ("19 * 23 =", _calculate("19 * 23")),
        ("calculate 1e5+1", _calculate("1e5+1")),
        ("What is 3 plus 4 times 2?", _calculate("3 + 4 * 2")),
        ("What is 1/0?", _calculate("1/0")),
        ("What time is it in UTC?", _clock("UTC")),
        ("what is the time", _clock("UTC")),
        ("Tell me the time in Tokyo.", _clock("Tokyo")),
        ("What time is it in New York right now?", _clock("New York")),
        ("What time is it in Europe/Berlin?", _clock("Europe/Berlin")),
        ("count to 100", Count(100, 0.02)),
        ("Count to 1000000 slowly", Count(1_000_000, 0.2)),
        ("count to 5 quickly", Count(5, 0.0)),
        ("count to 99999999999", Count(MAX_COUNT, 0.02)),
        ("wait 30 seconds", Wait(30)),
        ("Sleep for 250 ms", Wait(0.25)),
        ("wait 99999 minutes", Wait(MAX_WAIT_S)),
        ("fail: no luck today", Fail("no luck today")),
        ("Fail", Fail("The goal asked for a failure.")),
    ],
)
def test_goals_with_a_plan(goal: str, plan: Plan) -> None:
    """A goal that a rule fits leads to that rule's plan."""
    assert make_plan(goal, {}) == plan


@pytest.mark.parametrize(
    "goal",
    [
        "",
        "Hello, world",
        "What is the meaning of life?",
        "failure is not an option",
        "The time has come",
        "wait 5 bananas",
        "e",
        "1+" * 600 + "1",
    ],
)
def test_all_else_is_echoed(goal: str) -> None:
    """What no rule fits, or is too long for one, is given back as it came."""
    assert make_plan(goal, {}) == CallTool("echo", {"text": goal})


def test_data_may_name_the_tool() -> None:
    """`input.data` wins over what the goal says."""
    data = {"tool_id": "calculator", "args": {"expression": "1+1"}}
    assert make_plan("What time is it?", data) == _calculate("1+1")


@pytest.mark.parametrize("data", [{"tool_id": 3}, {"tool_id": "echo", "args": "x"}])
def test_data_that_names_no_tool_is_refused(data: dict[str, object]) -> None:
    """Half-understood directions are an error with a code, not a guess."""
    with pytest.raises(AgentError) as caught:
        make_plan("", data)
    assert caught.value.code == "invalid_data"


@given(st.text(max_size=1200))
def test_any_goal_has_a_plan(goal: str) -> None:
    """There is no goal that the planner cannot take."""
    make_plan(goal, {})


@given(st.text(max_size=3000))
def test_tokens_joined_are_the_answer(answer: str) -> None:
    """Whoever joins the tokens has the answer, in 500 tokens at most."""
    tokens = pieces(answer)
    assert "".join(tokens) == answer
    assert len(tokens) <= 500
