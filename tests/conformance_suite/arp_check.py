"""`arp-check`, run as anybody would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any, NamedTuple

from contracts.tree import ROOT

# A service that asks nothing of anybody is judged in a second or two.
_TIMEOUT_S = 120


class Checked(NamedTuple):
    """How it ended, and what it said."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        """Its JSON report, where that was asked for."""
        document: dict[str, Any] = json.loads(self.stdout)
        return document

    def ids(self, verdict: str) -> set[str]:
        """The requirements with this verdict."""
        return {one["id"] for one in self.report["requirements"] if one["verdict"] == verdict}


def arp_check(*arguments: str, **environment: str) -> Checked:
    """Run it with these arguments, and these variables beside the usual ones."""
    command = [sys.executable, "-m", "conformance", *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    return Checked(done.returncode, done.stdout, done.stderr)
