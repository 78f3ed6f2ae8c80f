"""The report for programs. Its shape is `report.schema.json`, and stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conformance.judgement import Finding, Judged
    from conformance.report import Report


def json_report(report: Report) -> str:
    """Write it."""
    document = {
        "service": {
            "kind": report.kind,
            "url": report.url,
            "service_name": report.service_name,
            "service_version": report.service_version,
        },
        "tier": report.tier,
        "started_at": report.started_at.isoformat(),
        "duration_ms": round(report.duration_s * 1000),
        "counts": report.counts(),
        "requirements": [_judged(judged) for judged in report.judged],
    }
    return json.dumps(document, indent=2) + "\n"


def _judged(judged: Judged) -> dict[str, Any]:
    requirement = judged.requirement
    return {
        "id": requirement.id,
        "origin": requirement.origin,
        "tier": requirement.tier,
        "source": requirement.source,
        "text": requirement.text,
        "verdict": judged.verdict,
        "reason": judged.reason,
        "findings": [_finding(finding) for finding in judged.findings],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    exchange = finding.exchange
    return {
        "check": finding.check,
        "expected": finding.reason,
        **({"exchange": exchange._asdict()} if exchange else {}),
    }
