"""The report for people: what is wrong in full, what is right in numbers."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from conformance.judgement import Finding, Judged, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conformance.exchange import Exchange
    from conformance.report import Report

_TITLES = {"standard": "The standard", "ours": "Promises of the ARP stack beyond the standard"}
_COLOURS = {
    Verdict.PASSED: 32,
    Verdict.FAILED: 31,
    Verdict.STALE_GAP: 31,
    Verdict.BLOCKED: 33,
    Verdict.KNOWN_GAP: 33,
    Verdict.NOT_APPLICABLE: 90,
}
_BOLD = 1
_WIDTH = 100
# How many of the ways in which one requirement is not met are shown.
_MAX_SHOWN = 3
# How much of a request and of an answer: the JSON report has more.
_MAX_TEXT = 240


def text_report(report: Report, *, colour: bool = False, verbose: bool = False) -> str:
    """Write it; with `verbose` the requirements that are met, or do not apply, are listed too."""
    paint = _paint if colour else _plain
    lines = [
        paint(f"{report.service_name} {report.service_version}, a {report.kind} at {report.url}", _BOLD),
        f"tier {report.tier}, {len(report.judged)} requirements, {report.duration_s:.1f} s",
    ]
    for origin, title in _TITLES.items():
        judged = report.of_origin(origin)
        if judged:
            lines += ["", paint(title, _BOLD)]
            lines += [line for one in judged for line in _one(one, colour=colour, verbose=verbose)]
            lines.append(_sum(report, origin, colour=colour))
    return "\n".join(lines) + "\n"


def _one(judged: Judged, *, colour: bool, verbose: bool) -> Iterator[str]:
    if judged.verdict in (Verdict.PASSED, Verdict.NOT_APPLICABLE) and not verbose:
        return
    paint = _paint if colour else _plain
    requirement = judged.requirement
    yield f"  {paint(f'{judged.verdict:<14}', _COLOURS[judged.verdict])} {requirement.id:<24} {requirement.text}"
    if judged.verdict is Verdict.PASSED:
        return
    if judged.verdict is not Verdict.FAILED:
        yield from _wrapped("why", judged.reason)
    if judged.verdict in (Verdict.FAILED, Verdict.KNOWN_GAP):
        yield from _wrapped("source", requirement.source)
        for finding in judged.findings[:_MAX_SHOWN]:
            yield from _finding(finding)
        if len(judged.findings) > _MAX_SHOWN:
            yield from _wrapped("and", f"{len(judged.findings) - _MAX_SHOWN} more in the JSON report")


def _finding(finding: Finding) -> Iterator[str]:
    if finding.exchange:
        yield from _wrapped("request", _cut(_request(finding.exchange)))
        yield from _wrapped("answer", _cut(f"{finding.exchange.status} {finding.exchange.answer}"))
    yield from _wrapped("expected", finding.reason)
    yield from _wrapped("check", finding.check)


def _request(exchange: Exchange) -> str:
    headers = "".join(f" {name}: {value};" for name, value in exchange.headers.items())
    return f"{exchange.method} {exchange.url}{headers} {exchange.body}".rstrip()


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}..."


def _wrapped(label: str, text: str) -> list[str]:
    indent = " " * 17
    first = f"{indent}{label:<9}"
    one_line = " ".join(text.split())
    return textwrap.wrap(one_line, _WIDTH, initial_indent=first, subsequent_indent=" " * len(first))


def _sum(report: Report, origin: str, *, colour: bool) -> str:
    paint = _paint if colour else _plain
    counts = report.counts()[origin]
    return "  " + ", ".join(paint(f"{n} {verdict}", _COLOURS[verdict]) for verdict, n in counts.items() if n)


def _plain(text: str, _code: int) -> str:
    return text


def _paint(text: str, code: int) -> str:
    return f"\x1b[{code}m{text}\x1b[0m"


def describe(judged: Judged) -> str:
    """All that is told of one requirement, in lines."""
    return "\n".join(_one(judged, colour=False, verbose=True))
