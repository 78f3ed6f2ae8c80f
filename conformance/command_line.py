"""`arp-check`: hold a service against the standard, and say what was found.

Exit codes: 0 when all that is required is met; 1 when something is not; 2 when nothing could be judged, because of the
command, or because the service cannot be reached or asks for a token.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conformance.examination import CannotJudgeError, Examination, examine
from conformance.json_report import json_report
from conformance.junit_report import junit_report
from conformance.operations import KINDS
from conformance.requirements import KNOWN_GAPS, ORIGINS, TIERS, load_known_gaps
from conformance.service import RUN_TIMEOUT_S
from conformance.text_report import text_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conformance.report import Report

_FORMATS = ("text", "json", "junit")
_TO_STDOUT = "-"


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge the service that the arguments name, write the reports, and return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        report = examine(_examination(options))
        for form, place in options.report or [("text", _TO_STDOUT)]:
            _write(report, form, place, options)
    except (CannotJudgeError, OSError, ValueError) as exc:
        print(f"arp-check: {exc}", file=sys.stderr)
        return 2
    required = ORIGINS if options.ours == "require" else ORIGINS[:1]
    return 0 if report.is_met(required, accept_known_gaps=options.accept_known_gaps) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "arp-check",
        description="Hold an ARP v1 service against the standard. From tier core on runs are made, and what a daemon "
        "has of profiles and instances is added to, and cleared away again.",
        epilog="Exit code 0: all that is required is met. 1: something is not. 2: nothing could be judged.",
    )
    add = parser.add_argument
    add("kind", choices=KINDS, help="what it is")
    add("url", help="its base URL, such as http://127.0.0.1:8082")
    add("--tier", choices=TIERS, default=TIERS[-2], help="how deep to look, each with the ones before (%(default)s)")
    add("--token", help="the bearer token to send; better in a file, or in ARP_TOKEN")
    add("--token-file", type=Path, metavar="FILE", help="a file that holds the token")
    add("--goal", help="a goal that ends soon, and succeeds")
    add("--long-goal", metavar="GOAL", help="a goal that takes a minute at least")
    add("--failing-goal", metavar="GOAL", help="a goal that ends soon, and fails")
    add("--profile-file", metavar="FILE", help="a RuntimeProfileUpsertRequest in JSON to launch from")
    add("--runtime-profile", metavar="NAME", help="a profile from which the daemon can launch runtimes")
    add("--runtime-url", metavar="URL", help="a runtime that the daemon may register")
    add("--run-timeout", type=float, default=RUN_TIMEOUT_S, metavar="S", help="how long a run may take (%(default)g s)")
    add(
        "--report", action="append", type=_report, metavar="FORM=FILE", help="text, json or junit; - is stdout (text=-)"
    )
    add("--ours", choices=("report", "require", "skip"), default="report", help="what of the ARP stack's own promises")
    add("--known-gaps", type=Path, default=KNOWN_GAPS, metavar="FILE", help="a list of known gaps, instead of ours")
    add("--accept-known-gaps", action="store_true", help="do not count known gaps as unmet")
    add("--verbose", action="store_true", help="list what is met, and what does not apply, too")
    return parser


def _report(text: str) -> tuple[str, str]:
    form, given, place = text.partition("=")
    if form not in _FORMATS or (given and not place):
        raise argparse.ArgumentTypeError(f"{text!r} is no FORM=FILE with a FORM of {', '.join(_FORMATS)}")
    return form, place or _TO_STDOUT


def _examination(options: argparse.Namespace) -> Examination:
    token: str | None = options.token or os.environ.get("ARP_TOKEN")
    if options.token_file:
        token = options.token_file.read_text(encoding="utf-8").strip()
    return Examination(
        kind=options.kind,
        url=options.url,
        tier=options.tier,
        origins=ORIGINS[:1] if options.ours == "skip" else ORIGINS,
        gaps=tuple(load_known_gaps(options.known_gaps)),
        token=token,
        run_timeout_s=options.run_timeout,
        options={
            "--goal": options.goal,
            "--long-goal": options.long_goal,
            "--failing-goal": options.failing_goal,
            "--profile-file": options.profile_file,
            "--runtime-profile": options.runtime_profile,
            "--helper-runtime-url": options.runtime_url,
        },
    )


def _write(report: Report, form: str, place: str, options: argparse.Namespace) -> None:
    colour = place == _TO_STDOUT and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    match form:
        case "json":
            text = json_report(report)
        case "junit":
            text = junit_report(report)
        case _:
            text = text_report(report, colour=colour, verbose=options.verbose)
    if place == _TO_STDOUT:
        sys.stdout.write(text)
    else:
        Path(place).write_text(text, encoding="utf-8")
