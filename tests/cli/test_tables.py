"""Lists as tables."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from arp_cli.tables import list_instances, list_profiles, list_runs, table_lines
from arp_sdk.models import RunStatus, RuntimeInstance, RuntimeProfile

NOW = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)
WIDE = 200
RUNS = [
    RunStatus.from_dict({"run_id": "r2", "state": "queued"}),
    RunStatus.from_dict(
        {
            "run_id": "r1",
            "state": "succeeded",
            "started_at": "2026-01-02T11:58:00Z",
            "ended_at": "2026-01-02T11:58:01.5Z",
            "runtime_instance_id": "inst_1234567890",
        }
    ),
]


def lines(content: Any, width: int = WIDE) -> list[str]:
    return [line.plain for line in table_lines(content, width)]


def test_runs_show_where_and_how_long() -> None:
    """What a run does not have yet is a dash."""
    assert lines(list_runs(RUNS, NOW, ages=True)) == [
        "run  state      started    duration  instance",
        "r2   queued     -          -         -",
        "r1   succeeded  2 min ago  1.5 s     inst_1234567890",
    ]


def test_programs_get_moments_and_not_ages() -> None:
    """A list in a file is read later."""
    assert "2026-01-02T11:58:00.000Z" in lines(list_runs(RUNS, NOW, ages=False))[2]


def test_a_run_that_goes_on_shows_how_long_it_has() -> None:
    """Its duration is until now."""
    run = RunStatus.from_dict({"run_id": "r", "state": "running", "started_at": NOW - timedelta(seconds=65)})
    assert "1 min 5 s" in lines(list_runs([run], NOW, ages=True))[1]


@pytest.mark.parametrize(
    ("width", "end"),
    [(52, "1.5 s     inst_1234567890"), (49, "1.5 s     inst_123456…"), (48, "1.5 s"), (10, "1.5 s")],
)
def test_a_narrow_terminal_costs_the_last_column_alone(width: int, end: str) -> None:
    """All others stay whole, for ids are there to be copied; of the last one, a bit is worse than nothing."""
    row = lines(list_runs(RUNS, NOW, ages=True), width)[2]
    assert row == f"r1   succeeded  2 min ago  {end}"


def test_instances_show_their_load() -> None:
    """Runs that each has, of those that it takes; a registered instance may not say."""
    common = {"state": "ready", "runtime_api_endpoint": "http://127.0.0.1:1"}
    extensions = {"arp.runs": 3, "arp.concurrency": 64}
    managed = {"instance_id": "i1", "runtime_name": "rt", "runtime_version": "1.0", "extensions": extensions}
    found = [RuntimeInstance.from_dict({**common, **more}) for more in (managed, {"instance_id": "i2"})]
    assert lines(list_instances(found)) == [
        "instance  state  profile  runs  endpoint            runtime",
        "i1        ready  -        3/64  http://127.0.0.1:1  rt 1.0",
        "i2        ready  -        -     http://127.0.0.1:1  -",
    ]


def test_profiles_show_how_many_instances_they_may_have() -> None:
    """A profile without launch details starts none."""
    launch = {"arp.exec": {"driver": "runtime", "min": 1, "max": 4}}
    found = [
        RuntimeProfile.from_dict({"runtime_profile": "a", "description": "What\nfor.", "extensions": launch}),
        RuntimeProfile.from_dict({"runtime_profile": "b", "extensions": {"arp.exec": {"driver": "runtime"}}}),
        RuntimeProfile.from_dict({"runtime_profile": "c"}),
    ]
    assert lines(list_profiles(found)) == [
        "profile  runtime  instances  description",
        "a        -        1-4        What for.",
        "b        -        0-1        -",
        "c        -        -          -",
    ]


def test_profiles_show_an_environment_that_is_not_ready() -> None:
    """Beside the number of instances that wait for it; and why it failed."""
    states = [{"state": "ready"}, {"state": "building"}, {"state": "failed", "error": "Cannot install."}]
    found = [
        RuntimeProfile.from_dict(
            {
                "runtime_profile": "p",
                "description": "What for.",
                "extensions": {"arp.exec": {"driver": "python"}, "arp.environment": state},
            }
        )
        for state in states
    ]
    assert lines(list_profiles(found)) == [
        "profile  runtime  instances     description",
        "p        -        0-1           What for.",
        "p        -        0-1 building  What for.",
        "p        -        0-1 failed    Cannot install. What for.",
    ]


def test_a_table_shows_text_as_text() -> None:
    """No markup, no controls, and wide letters keep the columns straight."""
    found = [
        RuntimeProfile.from_dict({"runtime_profile": name, "description": "x"})
        for name in ("[red]a[/]\x1b[1m", "日本", "b")
    ]
    assert lines(list_profiles(found))[1].startswith("[red]a[/]  ")
    assert lines(list_profiles(found))[2].startswith("日本       -")
