"""Programs as they were published, each in a venv of its own, so that none takes our packages for its own."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from contracts.tree import ROOT

_VENVS = ROOT / ".nox" / "published"


def installed(name: str, *requirements: str, python: str = sys.executable) -> Path:
    """Return the `bin` folder of a venv with these requirements; made at the first call, then kept."""
    venv = _VENVS / name
    complete = venv / "complete"
    # The interpreter behind a session's own: what one session has installed, the next one takes.
    made_of = "\n".join((str(Path(python).resolve()), sys.version, *requirements))
    if not (complete.is_file() and complete.read_text() == made_of):
        _uv("venv", "--clear", "--python", python, str(venv))
        _uv("pip", "install", "--python", str(venv / "bin" / "python"), *requirements)
        complete.write_text(made_of)
    return venv / "bin"


def installed_ours(name: str, *packages: str, python: str = sys.executable) -> Path:
    """Return the `bin` folder of a venv with these packages of the checkout, built as wheels anew at each call."""
    folder = installed(name, "httpx", "msgspec", python=python)
    sources = [ROOT / "packages" / package for package in packages]
    names = [tomllib.loads((source / "pyproject.toml").read_text())["project"]["name"] for source in sources]
    anew = [f"--reinstall-package={name}" for name in names]
    _uv("pip", "install", "--python", str(folder / "python"), *anew, *map(str, sources))
    return folder


def wheels(folder: Path, *packages: str) -> Path:
    """Build these packages of the checkout into a folder, and return it."""
    for package in packages:
        _uv("build", "--wheel", "--quiet", "--out-dir", str(folder), str(ROOT / "packages" / package))
    return folder


def find_python(version: str) -> str | None:
    """Return an interpreter of this version, where this machine has one."""
    command = [sys.executable, "-m", "uv", "--no-config", "python", "find", "--no-python-downloads", version]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def _uv(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "uv", "--no-config", *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
