"""arp-conformance 0.2.6 at its deepest tier finds nothing to blame in our services."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import PIPE
from typing import Any

import anyio

_LAUNCHER = Path(__file__).with_name("run_arp_conformance.py")
_CHECK_TIMEOUT_S = 60
# It asks these of a run that does not exist, and takes our 404 for "not implemented". tests/interop/sdk_programs and
# conformance/ show that they are.
_SKIPPED = {
    "runtime": {"deep.runtime.cancel", "deep.runtime.events"},
    "daemon": {"deep.daemon.trace"},
}
_PASSED = {"runtime": 10, "daemon": 20}


async def _check(venv: Path, kind: str, url: str) -> dict[str, Any]:
    """Run all checks; return the report."""
    command = [str(venv / "python"), "-W", "ignore", str(_LAUNCHER), "check", kind, "--url", url]
    options = ["--tier", "deep", "--allow-mutations", "--poll-interval", "0.1", "--format", "json"]
    with anyio.fail_after(_CHECK_TIMEOUT_S):
        done = await anyio.run_process([*command, *options], check=False, stderr=PIPE)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _assert_clean(report: dict[str, Any], kind: str) -> None:
    found = {status: {r["check_id"] for r in report["results"] if r["status"] == status} for status in report["counts"]}
    assert (found["FAIL"], found["WARN"], found["SKIP"]) == (set(), set(), _SKIPPED[kind])
    assert report["counts"]["PASS"] == _PASSED[kind]


async def test_the_runtime_passes_every_check(published_conformance: Path, runtime_url: str) -> None:
    """No failure and no warning."""
    _assert_clean(await _check(published_conformance, "runtime", runtime_url), "runtime")


async def test_the_daemon_passes_every_check(published_conformance: Path, daemon_url: str) -> None:
    """No failure and no warning, on a fresh daemon without any set-up."""
    _assert_clean(await _check(published_conformance, "daemon", daemon_url), "daemon")
