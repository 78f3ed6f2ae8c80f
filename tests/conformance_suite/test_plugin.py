"""The suite as a plugin of pytest, with pytest's own output."""

from __future__ import annotations

import subprocess
import sys

import pytest

from contracts.tree import ROOT
from support.bestiary.flawed_runtime import Flaw, flawed_runtime

_TIMEOUT_S = 60
_PLUGIN = ("-p", "conformance.plugin", "--pyargs", "conformance", "--checks-only")


@pytest.mark.parametrize(("flaws", "code"), [((), 0), ((Flaw.OWN_ERRORS,), 1)], ids=["right", "wrong"])
def test_it_judges_a_service_by_its_url(flaws: tuple[Flaw, ...], code: int) -> None:
    """What breaks the contract fails the check in which it came up, with the requirement, request and answer."""
    with flawed_runtime(*flaws) as url:
        command = [sys.executable, "-m", "pytest", *_PLUGIN, "--tier=smoke", f"--runtime-url={url}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    assert done.returncode == code, done.stdout
    assert ("errors.envelope: an error of create_run is an ErrorEnvelope" in done.stdout) == bool(flaws)
    assert "/runs/nothing-" in done.stdout or not flaws
