"""Programs as they were published, each in a venv of its own, so that none takes our packages for its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from contracts.tree import ROOT

_VENVS = ROOT / ".nox" / "published"


def installed(name: str, *requirements: str) -> Path:
    """Return the `bin` folder of a venv with these requirements; made at the first call, then kept."""
    venv = _VENVS / name
    complete = venv / "complete"
    made_of = "\n".join((sys.version, *requirements))
    if not (complete.is_file() and complete.read_text() == made_of):
        _uv("venv", "--clear", "--python", sys.executable, str(venv))
        _uv("pip", "install", "--python", str(venv / "bin" / "python"), *requirements)
        complete.write_text(made_of)
    return venv / "bin"


def _uv(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uv", "--no-config", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
