"""`arpctl runs`, `instances`, `profiles` and `status` against a real daemon."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

from cli.arpctl import arpctl, call
from support.daemon import running_daemon

if TYPE_CHECKING:
    from pathlib import Path


def test_a_fresh_daemon_lists_nothing_and_says_what_to_do(url: str) -> None:
    """An empty list is no error; the hint goes to stderr."""
    runs = call("runs", url=url)
    assert (runs.code, runs.out) == (0, "")
    assert "arpctl run 'What is (19*23)?'" in runs.err
    instances = call("instances", url=url)
    assert (instances.code, instances.out) == (0, "")
    assert "No instances now." in instances.err
    assert json.loads((call("runs", "--json", url=url)).out)["runs"] == []


def test_runs_are_listed_newest_first_page_by_page(url: str) -> None:
    """A list that is cut says with which command it goes on."""
    for number in range(5):
        assert call("run", "hello", "--run-id", f"page-{number}", url=url).code == 0
    first = call("runs", "--limit", "2", url=url)
    header, *rows = first.out.splitlines()
    assert header.split() == ["run", "state", "started", "duration", "instance"]
    assert [row.split()[:2] for row in rows] == [["page-4", "succeeded"], ["page-3", "succeeded"]]
    hint = first.err.split()
    assert hint[3:7] == ["arpctl", "runs", "--limit", "2"]
    second = json.loads(call(*hint[4:], "--json", url=url).out)
    assert [run["run_id"] for run in second["runs"]] == ["page-2", "page-1"]
    assert "next_page_token" in second["pagination"]
    every = json.loads(call("runs", "--json", url=url).out)
    assert [run["run_id"] for run in every["runs"]] == [f"page-{n}" for n in (4, 3, 2, 1, 0)]
    assert "next_page_token" not in every.get("pagination", {})
    whole = json.loads(call("runs", "--all", "--limit", "1", "--json", url=url).out)
    assert whole["runs"] == every["runs"]


def test_runs_can_be_filtered(url: str) -> None:
    """By all that is given at once; a list that is cut goes on with its filter."""
    for number in range(3):
        words = ("run", "hello", "--run-id", f"blue-{number}", "--label", "team=blue", "--label", f"n={number}")
        assert call(*words, url=url).code == 0
    assert call("run", "fail: no luck", "--run-id", "blue-x", "--label", "team=blue", url=url).code == 1

    def listed(*options: str) -> list[str]:
        return [run["run_id"] for run in json.loads(call("runs", *options, "--json", url=url).out)["runs"]]

    assert listed("--label", "team=blue") == ["blue-x", "blue-2", "blue-1", "blue-0"]
    assert listed("--label", "team=blue", "--label", "n=1") == ["blue-1"]
    assert listed("--label", "team=blue", "--state", "failed", "--state", "queued") == ["blue-x"]
    assert listed("--label", "team=blue", "--profile", "default", "--state", "succeeded", "--limit", "1") == ["blue-2"]
    first = call(
        "runs", "--label", "team=blue", "--state", "succeeded", "--profile", "default", "--limit", "2", url=url
    )
    assert listed(*first.err.split()[5:]) == ["blue-0"]
    nothing = call("runs", "--profile", "unheard-of", url=url)
    assert (nothing.code, nothing.out, nothing.err) == (0, "", "No run fits.\n")


def test_instances_show_where_they_are_and_what_they_have_to_do(url: str) -> None:
    """The table has what the API says."""
    call("run", "hello", url=url)
    (instance,) = json.loads(call("instances", "--json", url=url).out)["instances"]
    extensions = instance["extensions"]
    assert call("instances", url=url).out.splitlines()[1].split() == [
        instance["instance_id"],
        instance["state"],
        "default",
        f"{extensions['arp.runs']}/{extensions['arp.concurrency']}",
        instance["runtime_api_endpoint"],
        instance["runtime_name"],
        instance["runtime_version"],
    ]


def test_profiles_are_listed(url: str) -> None:
    """A fresh daemon has the one that is built in."""
    answer = call("profiles", url=url)
    assert answer.out.splitlines()[1].startswith("default  arp-runtime  0-4 ")
    (profile,) = json.loads((call("profiles", "--json", url=url)).out)["profiles"]
    assert profile["runtime_profile"] == "default"


def test_the_status_shows_the_checks_and_the_version(url: str) -> None:
    """Exit code 0 where all is well."""
    answer = call("status", url=url)
    assert answer.code == 0
    assert answer.out.startswith("arp-daemon ")
    assert f" at {url} is ok\n" in answer.out
    assert "\n  store      ok  write_ms=" in answer.out
    assert "\nInstances: " in answer.out
    found = json.loads((call("status", "--json", url=url)).out)
    assert set(found) == {"health", "version", "instances"}
    assert found["version"]["supported_api_versions"] == ["v1"]


async def test_a_daemon_that_stops_is_not_ok(tmp_path: Path) -> None:
    """Exit code 1, and the check that says why."""
    async with running_daemon(tmp_path / "data", "--drain-grace-s", "20") as daemon:
        await daemon.until_event(await daemon.submit("count to 100000 slowly", run_id="last"), "token")
        daemon.process.send_signal(signal.SIGTERM)
        await daemon.until_stopping()
        answer = await arpctl("status", url=daemon.url)
        assert answer.code == 1
        assert " is degraded\n" in answer.out
        assert "  serving    degraded  Shutting down.\n" in answer.out
        refused = await arpctl("run", "hello", url=daemon.url)
        assert refused.code == 4
        assert "(HTTP 503)" in refused.err
        assert (await arpctl("cancel", "last", url=daemon.url)).code == 0
