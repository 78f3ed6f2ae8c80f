"""Which tools a run may use."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from arp_model import UNSET, RunRequestToolPolicy
from arp_runtime.tools.policy import ToolPolicy

_IDS = st.lists(st.sampled_from("abcd"), max_size=4)


def test_without_a_policy_everything_is_permitted() -> None:
    """Absent means no restriction, of the policy or of its parts."""
    assert ToolPolicy(UNSET).permits("a")
    assert ToolPolicy(RunRequestToolPolicy()).permits("a")


def test_an_allow_list_means_nothing_else() -> None:
    """An empty one allows nothing."""
    assert ToolPolicy(RunRequestToolPolicy(allow_tool_ids=["a"])).permits("a")
    assert not ToolPolicy(RunRequestToolPolicy(allow_tool_ids=["a"])).permits("b")
    assert not ToolPolicy(RunRequestToolPolicy(allow_tool_ids=[])).permits("a")


def test_a_deny_list_leaves_the_rest() -> None:
    """Only what it names is denied."""
    policy = ToolPolicy(RunRequestToolPolicy(deny_tool_ids=["a"]))
    assert not policy.permits("a")
    assert policy.permits("b")


@given(_IDS, _IDS, st.sampled_from("abcd"))
def test_deny_wins_over_allow(allowed: list[str], denied: list[str], tool_id: str) -> None:
    """A tool is permitted exactly where it is allowed and not denied."""
    policy = ToolPolicy(RunRequestToolPolicy(allow_tool_ids=allowed, deny_tool_ids=denied))
    assert policy.permits(tool_id) == (tool_id in allowed and tool_id not in denied)
