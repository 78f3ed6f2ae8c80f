"""From findings to verdicts, to reports, and to whether a service meets what is required."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from conformance.exchange import Exchange
from conformance.json_report import json_report
from conformance.judgement import Finding, KnownGap, Verdict, judge
from conformance.junit_report import junit_report
from conformance.report import Report
from conformance.requirements import ORIGINS, Requirement, load_known_gaps
from conformance.text_report import text_report
from jsonschema import Draft202012Validator

from contracts.tree import ROOT

_EXCHANGE = Exchange("POST", "/v1/runs", {}, "{}", 422, '{"detail": "\x00 ]]> \ud800"}')
_FAILED = Finding("a.b", "failed", "test_it: It is right.", "it is right", _EXCHANGE)
_PASSED = Finding("a.b", "passed", "test_it")
_BLOCKED = Finding("a.b", "blocked", "test_it", "a.c is not met")
_NOT_APPLICABLE = Finding("a.b", "not applicable", "test_it", "not offered")
_GAP = KnownGap("service", "1.0", "a.b", "They know.")


def requirement(origin: str = "standard", shown_by: str = "") -> Requirement:
    """One that any service has."""
    return Requirement("a.b", origin, "core", ("runtime",), "somewhere", "It is right.", shown_by=shown_by)


def report(*findings: Finding, origin: str = "standard", gaps: tuple[KnownGap, ...] = ()) -> Report:
    """What is told of a service with one requirement."""
    judged = judge([requirement(origin)], findings, gaps)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return Report("runtime", "http://127.0.0.1:1", "service", "1.0", "core", now, 1.5, tuple(judged))


REPORTS = {
    Verdict.PASSED: report(_PASSED, _BLOCKED),
    Verdict.FAILED: report(_PASSED, _FAILED, _BLOCKED),
    Verdict.KNOWN_GAP: report(_FAILED, gaps=(_GAP,)),
    Verdict.STALE_GAP: report(_PASSED, gaps=(_GAP,)),
    Verdict.BLOCKED: report(_BLOCKED, _NOT_APPLICABLE),
    Verdict.NOT_APPLICABLE: report(_NOT_APPLICABLE),
}


@pytest.mark.parametrize("verdict", Verdict)
def test_a_verdict_follows_from_what_was_found(verdict: Verdict) -> None:
    """One failure is enough; what was seen to be right counts before what could not be looked at."""
    [judged] = REPORTS[verdict].judged
    assert judged.verdict is verdict
    assert (judged.reason == "") == (verdict is Verdict.PASSED)


def test_what_no_url_shows_names_its_test() -> None:
    """Nobody takes it for something that was looked at."""
    [judged] = judge([requirement(shown_by="tests/x.py")], [])
    assert (judged.verdict, "tests/x.py" in judged.reason) == (Verdict.NOT_APPLICABLE, True)


def test_the_same_reason_is_told_once() -> None:
    """However many parameters of a check come to it."""
    findings = [_FAILED._replace(check=f"test_it[{n}]: It is right.") for n in range(9)]
    [judged] = judge([requirement()], findings)
    assert len(judged.findings) == 1


@pytest.mark.parametrize(
    ("verdict", "met", "accepted"),
    [
        (Verdict.PASSED, True, True),
        (Verdict.NOT_APPLICABLE, True, True),
        (Verdict.KNOWN_GAP, False, True),
        (Verdict.FAILED, False, False),
        (Verdict.STALE_GAP, False, False),
        (Verdict.BLOCKED, False, False),
    ],
)
def test_a_service_meets_what_is_required(verdict: Verdict, *, met: bool, accepted: bool) -> None:
    """A known gap is one all the same, unless those are accepted; one that is none any more is to be taken out."""
    told = REPORTS[verdict]
    assert [told.is_met(ORIGINS, accept_known_gaps=accept) for accept in (False, True)] == [met, accepted]


def test_our_own_promises_are_required_of_us_alone() -> None:
    """Unless they are asked for."""
    told = report(_FAILED, origin="ours")
    assert told.is_met(("standard",), accept_known_gaps=False)
    assert not told.is_met(ORIGINS, accept_known_gaps=False)


@pytest.mark.parametrize("verdict", Verdict)
def test_the_json_report_has_the_shape_that_is_written_down(verdict: Verdict) -> None:
    """So that a program can rely on it."""
    schema = json.loads((ROOT / "conformance" / "report.schema.json").read_text())
    document = json.loads(json_report(REPORTS[verdict]))
    Draft202012Validator(schema).validate(document)
    assert document["counts"]["standard"][verdict] == 1


@pytest.mark.parametrize("verdict", Verdict)
def test_the_junit_report_is_xml_with_a_case_for_each_requirement(verdict: Verdict) -> None:
    """Whatever bytes an answer had."""
    suites = ET.fromstring(junit_report(REPORTS[verdict]))
    [case] = suites.iter("testcase")
    [suite] = suites.findall("testsuite[@tests='1']")
    assert (case.get("classname"), case.get("name")) == ("standard.core", "a.b")
    elements = {
        Verdict.PASSED: [],
        Verdict.BLOCKED: ["error"],
        Verdict.FAILED: ["failure"],
        Verdict.STALE_GAP: ["failure"],
    }
    assert [element.tag for element in case] == elements.get(verdict, ["skipped"])
    counts = {name: int(suite.get(name, "")) for name in ("failures", "errors", "skipped")}
    assert sum(counts.values()) == len(list(case))


def test_the_text_report_shows_what_to_mend() -> None:
    """The requirement, its source, the request, the answer, and what was expected; colours are for terminals."""
    told = text_report(REPORTS[Verdict.FAILED])
    for word in ("failed", "a.b", "It is right.", "somewhere", "POST /v1/runs", "422", "it is right", "1 failed"):
        assert word in told
    assert "\x1b" not in told
    assert "\x1b[31m" in text_report(REPORTS[Verdict.FAILED], colour=True)


def test_the_text_report_lists_what_is_right_only_where_it_is_asked_to() -> None:
    """In numbers it is always there."""
    told = REPORTS[Verdict.PASSED]
    assert "a.b" not in text_report(told)
    assert "1 passed" in text_report(told)
    assert "a.b" in text_report(told, verbose=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "services: 7",
        "services: [{}]",
        "services: [{service_name: x, service_version: 1, gaps: [{requirement: no.such, reason: x}]}]",
        "services: [{service_name: x, service_version: 1, gaps: [{requirement: run.submit}]}]",
        "services: [",
    ],
)
def test_gaps_that_make_no_sense_are_refused(text: str, tmp_path: Path) -> None:
    """The error names the file."""
    file = tmp_path / "gaps.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"gaps\.yaml"):
        load_known_gaps(file)
