"""One look at a service: pytest runs the checks, quietly, and what they found becomes a report."""

from __future__ import annotations

import io
import os
import re
import sys
import time
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import httpx
import pytest

from conformance.judgement import Finding, KnownGap, judge
from conformance.plugin import FINDINGS
from conformance.report import Report
from conformance.requirements import requirements_of
from conformance.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HERE = Path(__file__).parent
_URL = re.compile(r"https?://[^/\s[]|https?://\[[\da-f:.]+\]", re.IGNORECASE)
# What pytest would take from whoever calls, and which is not meant for these checks.
_FOREIGN = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")
# A check waits for a few runs, one after the other, and for some answers besides.
_RUNS_OF_A_CHECK, _ANSWERS_OF_A_CHECK_S = 3, 60


class CannotJudgeError(Exception):
    """Nothing can be said of the service."""


class Examination(NamedTuple):
    """Who is looked at, and how."""

    kind: str
    url: str
    tier: str
    origins: tuple[str, ...]
    gaps: tuple[KnownGap, ...]
    token: str | None
    run_timeout_s: float
    options: Mapping[str, str | None]
    """Options of the plugin that are as the command's own."""


class _Gatherer:
    """Takes the findings out of pytest's session, and tells meanwhile how far it is."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._terminal = sys.stderr if sys.stderr.isatty() else None
        self._count = 0
        self.findings: list[Finding] = []

    def pytest_runtest_logfinish(self) -> None:
        self._count += 1
        self._tell(f"\r{self._count} checks")

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._tell("\r\x1b[K")
        self.findings = session.config.stash[FINDINGS][self._kind]

    def _tell(self, text: str) -> None:
        if self._terminal:
            self._terminal.write(text)
            self._terminal.flush()


def examine(examination: Examination) -> Report:
    """Run all checks of the tier; raise CannotJudgeError where that is of no use."""
    version = _first_look(examination)
    started_at, started = datetime.now(UTC), time.monotonic()
    findings = _run_checks(examination)
    name, release = str(version.get("service_name", "?")), str(version.get("service_version", "?"))
    requirements = requirements_of(examination.kind, examination.tier, examination.origins)
    gaps = [gap for gap in examination.gaps if (gap.service_name, gap.service_version) == (name, release)]
    return Report(
        kind=examination.kind,
        url=examination.url,
        service_name=name,
        service_version=release,
        tier=examination.tier,
        started_at=started_at,
        duration_s=time.monotonic() - started,
        judged=tuple(judge(requirements, findings, gaps)),
    )


def _first_look(examination: Examination) -> Mapping[str, object]:
    """Return the VersionInfo of a service that can be reached and lets us in."""
    if not _URL.match(examination.url):
        raise CannotJudgeError(f"{examination.url} is no URL with http:// or https://")
    service = Service(examination.kind, examination.url, examination.token)
    try:
        version = service.version
        protected = service.http.get("/v1/tools" if examination.kind == "tool-registry" else "/v1/runs/x")
    except (httpx.TransportError, httpx.InvalidURL) as exc:
        raise CannotJudgeError(f"nothing answers at {examination.url}: {exc}") from exc
    except httpx.DecodingError as exc:
        raise CannotJudgeError(f"what answers at {examination.url} cannot be read: {exc}") from exc
    finally:
        service.close()
    if protected.status_code in {401, 403}:
        cure = "the token is not accepted" if examination.token else "it asks for a token: --token-file, or ARP_TOKEN"
        raise CannotJudgeError(f"{examination.url} answers {protected.status_code}: {cure}")
    return version


def _run_checks(examination: Examination) -> list[Finding]:
    gatherer = _Gatherer(examination.kind)
    timeout_s = _RUNS_OF_A_CHECK * examination.run_timeout_s + _ANSWERS_OF_A_CHECK_S
    arguments = [
        *("-c", str(_HERE / "pytest.ini"), "--rootdir", str(_HERE), "-p", "no:cacheprovider", "-p", "pytest_timeout"),
        *("-W", "ignore", f"--timeout={timeout_s}", f"--tier={examination.tier}", "--checks-only"),
        *(f"--{examination.kind}-url={examination.url}", f"--run-timeout={examination.run_timeout_s}"),
        *([f"--token={examination.token}"] if examination.token else []),
        *([] if "ours" in examination.origins else ["--standard-only"]),
        *(f"{option}={value}" for option, value in examination.options.items() if value is not None),
        str(_HERE),
    ]
    output = io.StringIO()
    with _alone(), redirect_stdout(output), redirect_stderr(output):
        code = pytest.main(arguments, plugins=[gatherer])
    if code == pytest.ExitCode.INTERRUPTED:
        raise CannotJudgeError("interrupted")
    if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        raise CannotJudgeError(f"the checks could not run ({code!r}):\n{output.getvalue()}")
    return gatherer.findings


@contextmanager
def _alone() -> Iterator[None]:
    """Keep from pytest what its surroundings would have it do."""
    kept = {name: os.environ.pop(name) for name in _FOREIGN if name in os.environ}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        os.environ.update(kept)
