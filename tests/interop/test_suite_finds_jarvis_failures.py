"""Our conformance suite, run against the published JARVIS services: it finds what they do not keep, and no more.

`conformance/known_gaps.yaml` explains each of the failures.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio
import pytest
from conformance.requirements import load_known_gaps

from conformance_suite.arp_check import Checked, arp_check
from support.jarvis_program import serving_daemon, serving_runtime

if TYPE_CHECKING:
    from pathlib import Path

_GAPS = load_known_gaps()
# All that the standard asks for, but for what the service does not offer.
_NOT_APPLICABLE = {
    "arp-jarvis-runtime": {"auth.challenge", "cancel.answer", "events.stream"},
    "arp-jarvis-daemon": {"auth.challenge"},
    "arp-jarvis-tool-registry": {"auth.challenge"},
}


async def _check(*arguments: str) -> Checked:
    options = ("--tier=deep", "--ours=skip", "--report=json", *arguments)
    return await anyio.to_thread.run_sync(lambda: arp_check(*options))


def _assert_finds_the_gaps(result: Checked, name: str) -> None:
    """Each known gap is there, nothing else has failed, and all other requirements are met."""
    assert result.report["service"]["service_name"] == name
    assert result.ids("known gap") == {gap.requirement for gap in _GAPS if gap.service_name == name}
    assert result.ids("failed") | result.ids("blocked") | result.ids("stale gap") == set()
    assert result.ids("not applicable") == _NOT_APPLICABLE[name]
    assert len(result.ids("passed")) >= 10
    assert result.exit_code == 1


async def test_it_finds_the_failures_of_the_runtime(jarvis: Path, tools_url: str, tmp_path: Path) -> None:
    """Errors that are text, and requests that are not looked at."""
    async with serving_runtime(jarvis, tmp_path, tools_url) as url:
        _assert_finds_the_gaps(await _check("runtime", url), "arp-jarvis-runtime")


async def test_it_finds_the_failures_of_the_tool_registry(tools_url: str) -> None:
    """Requests that are not looked at."""
    _assert_finds_the_gaps(await _check("tool-registry", tools_url), "arp-jarvis-tool-registry")
    assert (await _check("tool-registry", tools_url, "--accept-known-gaps")).exit_code == 0


@pytest.mark.timeout(300)
async def test_it_finds_the_failures_of_the_daemon(
    jarvis: Path, jarvis_daemon: Path, tools_url: str, tmp_path: Path
) -> None:
    """A 422 that is no ErrorEnvelope, for one; told with the request and the answer that show it."""
    runtime = [str(jarvis / "arp-jarvis-runtime"), "serve", "--port", "{port}"]
    profile = {
        "defaults": {"tool_registry_url": tools_url},
        "extensions": {"arp.jarvis.exec": {"driver": "command", "command_template": runtime}},
    }
    (tmp_path / "profile.json").write_text(json.dumps(profile))
    async with (
        serving_runtime(jarvis, tmp_path, tools_url) as runtime_url,
        serving_daemon(jarvis_daemon, tmp_path) as url,
    ):
        result = await _check(
            "daemon", url, *("--runtime-url", runtime_url), *("--profile-file", str(tmp_path / "profile.json"))
        )
    _assert_finds_the_gaps(result, "arp-jarvis-daemon")
    [envelope] = [one for one in result.report["requirements"] if one["id"] == "errors.envelope"]
    shown = [finding["exchange"] for finding in envelope["findings"]]
    assert all(exchange["status"] == 422 and '"detail"' in exchange["answer"] for exchange in shown), shown
