"""Holds any ARP service, known by its URL alone, against the standard: `arp-check`, or a pytest plugin.

A request goes out through `service`, and every answer is held against the contract on its way in (`contract`). Checks
(`test_*.py`) name the requirements that they exercise; `plugin` gathers what came of them, `judgement` makes a verdict
of it for each requirement, and the reports tell it. Nothing here knows our packages.
"""

from conformance.judgement import Judged, NotMetError, Verdict, judge
from conformance.requirements import Requirement, load_requirements

__all__ = ["Judged", "NotMetError", "Requirement", "Verdict", "judge", "load_requirements"]
