"""What the runs of the suite are to do. Agents differ; those of a service of somebody else have goals of their own."""

from __future__ import annotations

from typing import NamedTuple, NoReturn

import pytest

_SHORT = "What is (19*23)?"


class Goals(NamedTuple):
    """Goals that the agent of a service understands; None where it is not known to have such a thing."""

    short: str = _SHORT
    """Ends soon, and succeeds."""
    long: str | None = None
    """Goes on for a minute at least, unless it is canceled."""
    failing: str | None = None
    """Ends soon, and fails."""
    arp: bool = False
    """Whether the agent is the default one of arp-runtime, which knows other goals too."""

    def need_long(self) -> str:
        """The long goal; the check does not apply where there is none."""
        return self.long or not_applicable("needs a goal that takes a minute: give one with --long-goal")

    def need_failing(self) -> str:
        """The failing goal; the check does not apply where there is none."""
        return self.failing or not_applicable("needs a goal that fails: give one with --failing-goal")

    def of_arp(self, goal: str) -> str:
        """A goal that only the default agent of arp-runtime is known to understand."""
        return (
            goal if self.arp else not_applicable("asks for what only the default agent of arp-runtime is known to do")
        )


OURS = Goals(_SHORT, "wait 600 s", "fail: on purpose", arp=True)


def choose_goals(short: str | None, long: str | None, failing: str | None, *, has_features: bool) -> Goals:
    """Those that were given; where none was, those of our default agent, if the service is one of ours."""
    if short is None and has_features:
        return OURS._replace(long=long or OURS.long, failing=failing or OURS.failing)
    return Goals(short or _SHORT, long, failing)


def not_applicable(why: str) -> NoReturn:
    """End the check: it does not apply to this service."""
    pytest.skip(why)
