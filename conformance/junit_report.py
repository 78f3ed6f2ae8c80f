"""The report for CI: JUnit XML, a test case for each requirement."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from conformance.judgement import Judged, Verdict
from conformance.text_report import describe

if TYPE_CHECKING:
    from conformance.report import Report

_ELEMENTS = {
    Verdict.FAILED: "failure",
    Verdict.STALE_GAP: "failure",
    Verdict.BLOCKED: "error",
    Verdict.KNOWN_GAP: "skipped",
    Verdict.NOT_APPLICABLE: "skipped",
}
# XML has no way to write these at all.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_report(report: Report) -> str:
    """Write it."""
    suites = ET.Element("testsuites")
    for origin in report.counts():
        judged = report.of_origin(origin)
        elements = [_ELEMENTS.get(one.verdict) for one in judged]
        suite = ET.SubElement(
            suites,
            "testsuite",
            name=f"{report.service_name} {report.service_version} {report.kind}: {origin}",
            tests=str(len(judged)),
            failures=str(elements.count("failure")),
            errors=str(elements.count("error")),
            skipped=str(elements.count("skipped")),
            timestamp=report.started_at.isoformat(),
            time=f"{report.duration_s:.3f}",
        )
        for one in judged:
            _add(suite, one)
    ET.indent(suites)
    return ET.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _add(suite: ET.Element, judged: Judged) -> None:
    requirement = judged.requirement
    case = ET.SubElement(suite, "testcase", classname=f"{requirement.origin}.{requirement.tier}", name=requirement.id)
    if judged.verdict in _ELEMENTS:
        message = _NO_XML.sub("?", f"{judged.verdict}: {judged.reason}")
        element = ET.SubElement(case, _ELEMENTS[judged.verdict], message=message)
        element.text = _NO_XML.sub("?", describe(judged))
