"""The suite can fail: flaws of a service are told of the requirements that they break, and of no others."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from conformance.requirements import requirements_of

from conformance_suite.arp_check import Checked, arp_checks
from support.bestiary.flawed_runtime import TOKEN, Flaw, flawed_runtime

_BAD_REQUESTS = {f"request.{what}" for what in ("missing_field", "unknown_field", "wrong_type", "extension_key")}
FAILED: dict[Flaw, set[str]] = {
    Flaw.ASKS_FOR_A_TOKEN: set(),
    Flaw.OWN_ERRORS: {"errors.envelope"},
    Flaw.OLD_VERSION: {"version.answer"},
    Flaw.TEXT_ERRORS: {"errors.envelope"},
    Flaw.LOCAL_TIMES: {"health.answer"},
    Flaw.BREAKS_DOWN: {"endpoints.required", *_BAD_REQUESTS},
    Flaw.RESULT_OF_NOBODY: {"run.result"},
    Flaw.TAKES_ANYTHING: _BAD_REQUESTS,
    Flaw.OTHER_STATUS: {"run.submit"},
    Flaw.MORE_FIELDS: {"run.submit", "run.status"},
    Flaw.TALKS_TO_NOBODY: {"auth.open"},
    Flaw.NEVER_ENDS: {"run.ends"},
    Flaw.OTHER_ID: {"run.submit"},
    Flaw.NO_CHALLENGE: {"auth.challenge"},
    Flaw.LEAVES: set(),
    Flaw.NESTS: {"version.answer"},
    Flaw.PRETENDS: set(),
    Flaw.INVENTS_RUNS: {"errors.envelope", "run.unknown"},
}
BLOCKED = {
    Flaw.NEVER_ENDS: {"run.result"},
    Flaw.LEAVES: {requirement.id for requirement in requirements_of("runtime", "core", ("standard",))},
}
# Each service that is judged costs half a second, so flaws that have nothing to do with each other share one.
SERVICES: list[tuple[Flaw, ...]] = [
    (),
    (Flaw.ASKS_FOR_A_TOKEN, Flaw.PRETENDS),
    (Flaw.OWN_ERRORS, Flaw.OLD_VERSION),
    (Flaw.TEXT_ERRORS, Flaw.LOCAL_TIMES, Flaw.NESTS),
    (Flaw.BREAKS_DOWN, Flaw.RESULT_OF_NOBODY),
    (Flaw.TAKES_ANYTHING, Flaw.OTHER_STATUS),
    (Flaw.MORE_FIELDS, Flaw.TALKS_TO_NOBODY),
    (Flaw.NEVER_ENDS, Flaw.OTHER_ID),
    (Flaw.NO_CHALLENGE, Flaw.INVENTS_RUNS),
    (Flaw.LEAVES,),
]
_OPTIONS = ("--tier=core", "--ours=skip", "--report=json", "--run-timeout=0.2")


@pytest.fixture(scope="module")
def checked() -> dict[tuple[Flaw, ...], Checked]:
    """What is said of each service."""
    with ExitStack() as stack:
        urls = [stack.enter_context(flawed_runtime(*flaws)) for flaws in SERVICES]
        results = arp_checks([("runtime", url, *_OPTIONS) for url in urls], ARP_TOKEN=TOKEN)
        return dict(zip(SERVICES, results, strict=True))


def test_every_flaw_is_looked_for() -> None:
    """None is forgotten."""
    assert {flaw for flaws in SERVICES for flaw in flaws} == FAILED.keys() == set(Flaw)


@pytest.mark.parametrize("flaws", SERVICES, ids=" and ".join)
def test_flaws_are_told_of_the_requirements_that_they_break(
    flaws: tuple[Flaw, ...], checked: dict[tuple[Flaw, ...], Checked]
) -> None:
    """And nothing else is held against the service, whose other sides are right."""
    result = checked[flaws]
    failed = {id_ for flaw in flaws for id_ in FAILED[flaw]}
    blocked = {id_ for flaw in flaws for id_ in BLOCKED.get(flaw, ())}
    assert result.ids("failed") == failed, result.stdout
    assert result.ids("blocked") == blocked
    assert result.exit_code == bool(failed | blocked)
    assert TOKEN not in result.stdout + result.stderr


def test_a_failure_shows_what_was_asked_and_answered(checked: dict[tuple[Flaw, ...], Checked]) -> None:
    """And what is expected instead, so that the author of the service can look it up and ask it again."""
    failed = [one for result in checked.values() for one in result.report["requirements"] if one["verdict"] == "failed"]
    assert failed
    for finding in (finding for one in failed for finding in one["findings"]):
        assert finding["expected"]
        assert finding["exchange"]["method"] in {"GET", "POST"}
        assert finding["exchange"]["status"]
