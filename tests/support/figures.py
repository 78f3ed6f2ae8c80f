"""A table of the figures that tests have told (`record_property("figures", (case, figures))`), after all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter


@pytest.hookimpl
def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print what was told, in the order of the tests, also of those that failed."""
    reports = [
        report
        for outcome in ("passed", "failed", "error")
        for report in terminalreporter.stats.get(outcome, [])
        if isinstance(report, pytest.TestReport) and report.when == "call"
    ]
    told = sorted(_pair(value) for r in reports for name, value in r.user_properties if name == "figures")
    if told:
        terminalreporter.section("figures")
        width = max(len(case) for case, _ in told)
        for case, figures in told:
            terminalreporter.line(f"{case:{width}}  {figures}")


def _pair(value: object) -> tuple[str, str]:
    """Case and figures; they may have come from another process as a list."""
    assert isinstance(value, list | tuple)
    case, figures = value
    return str(case), str(figures)
