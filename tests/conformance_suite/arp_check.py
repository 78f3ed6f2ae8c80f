"""`arp-check`, run as anybody would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from contracts.tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

# A service that asks nothing of anybody is judged in a second or two.
_TIMEOUT_S = 120

_ONE_AFTER_THE_OTHER = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from conformance.command_line import main

def check(arguments):
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = main(arguments)
        except SystemExit as exc:  # the arguments are wrong
            code = exc.code
    return code, out.getvalue(), err.getvalue()

print(json.dumps([check(arguments) for arguments in json.loads(sys.argv[1])]))
"""


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
    done = _run_python("-m", "conformance", *arguments, **environment)
    return Checked(done.returncode, done.stdout, done.stderr)


def arp_checks(commands: Sequence[Sequence[str]], **environment: str) -> list[Checked]:
    """Run it with each of these arguments, within one process: to start it takes longer than to judge a service."""
    done = _run_python(
        "-c", _ONE_AFTER_THE_OTHER, json.dumps([list(arguments) for arguments in commands]), **environment
    )
    assert done.returncode == 0, done.stderr
    return [Checked(*checked) for checked in json.loads(done.stdout)]


def _run_python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
