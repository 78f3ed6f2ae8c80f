"""Which instances a run may go to."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from msgspec import UNSET

from arp_daemon.selector import Selector, by_load, least_loaded, read_selector
from arp_model import RunRequestRuntimeSelector


@dataclass
class _Candidate:
    instance_id: str = "i1"
    runtime_profile: str | None = "p"
    runtime_name: str | None = "n"
    endpoint: str = "http://127.0.0.1:1"
    free_slots: int = 1
    load: int = 0


def test_a_run_that_selects_nothing_goes_to_the_default_profile() -> None:
    """No selector, or an empty one, means the profile `default`."""
    assert read_selector(UNSET) == Selector(runtime_profile="default")
    assert read_selector(RunRequestRuntimeSelector()) == Selector(runtime_profile="default")


def test_an_endpoint_is_compared_without_its_last_slash() -> None:
    """`http://127.0.0.1:1/` and `http://127.0.0.1:1` are the same endpoint."""
    given = RunRequestRuntimeSelector(runtime_api_endpoint="http://127.0.0.1:1/")
    assert read_selector(given).admits(_Candidate())


@pytest.mark.parametrize(
    ("selector", "admitted"),
    [
        (Selector(), True),
        (Selector(instance_id="i1", runtime_profile="p", runtime_name="n", endpoint="http://127.0.0.1:1"), True),
        (Selector(instance_id="i2"), False),
        (Selector(runtime_profile="q"), False),
        (Selector(runtime_name="m"), False),
        (Selector(endpoint="http://127.0.0.1:2"), False),
        (Selector(instance_id="i1", runtime_profile="q"), False),
    ],
)
def test_every_given_part_has_to_fit(selector: Selector, admitted: bool) -> None:
    """A selector is a conjunction."""
    assert selector.admits(_Candidate()) is admitted


def test_the_least_loaded_instance_with_a_free_slot_is_chosen() -> None:
    """Load decides; a full instance is no candidate, however small its load."""
    full = _Candidate("full", free_slots=0, load=1)
    light = _Candidate("light", free_slots=2, load=1)
    heavy = _Candidate("heavy", free_slots=2, load=2)
    assert least_loaded([heavy, full, light]) is light
    assert least_loaded([full]) is None
    given = []
    for chosen in by_load([heavy, full, light]):
        given.append(chosen.instance_id)
        chosen.free_slots, chosen.load = chosen.free_slots - 1, chosen.load + 1
    assert given == ["light", "heavy", "light", "heavy"]
    assert list(by_load([full])) == []
