"""Runs nox from a venv of its own inside the checkout, making the venv first where it is missing.

Started by ``python3 noxfile.py``. Caches stay inside the checkout too, so that deleting the folder
deletes everything. Index settings that pip or uv find in the environment are respected.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
NOX_DIR = ROOT / ".nox"
VENV = NOX_DIR / "bootstrap"
CACHE = NOX_DIR / "cache"
REQUIREMENT = "nox[uv]>=2025.5.1"
# pip's names for index settings, and uv's for the same: uv does not read pip's.
UV_NAMES = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX"}


def main() -> NoReturn:
    """Become nox, with the arguments that this process was given."""
    os.environ.update(_environment())
    python = VENV / "bin" / "python"
    stamp = VENV / "complete"
    made_of = f"{REQUIREMENT} {sys.version} {sys.base_prefix}"
    if not (stamp.is_file() and stamp.read_text() == made_of):
        _make_venv(python)
        stamp.write_text(made_of)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.execv(python, [str(python), "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"), *sys.argv[1:]])


def _environment() -> dict[str, str]:
    given = os.environ
    places = {
        "UV_CACHE_DIR": str(CACHE / "uv"),
        "PIP_CACHE_DIR": str(CACHE / "pip"),
        "XDG_CACHE_HOME": str(CACHE),
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        # Hundreds of short programs start in the tests: none of them should compile its imports anew.
        "UV_COMPILE_BYTECODE": "1",
        # As pip does: the machine's own certificate authorities, where a company puts its proxy's.
        "UV_SYSTEM_CERTS": given.get("UV_SYSTEM_CERTS", "1"),
    }
    return places | {uv: given[pip] for pip, uv in UV_NAMES.items() if pip in given and uv not in given}


def _make_venv(python: Path) -> None:
    """Make the venv with nothing but the standard library, and install nox into it."""
    print(f"Installing nox into {VENV.relative_to(ROOT)} (once).", file=sys.stderr, flush=True)
    _run(
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        "This Python cannot make a venv. On Debian or Ubuntu: apt install python3-venv. Then try again.",
    )
    _run(
        [str(python), "-m", "pip", "install", "--quiet", REQUIREMENT],
        "nox could not be installed. Check the network and pip's index settings, then try again.",
    )


def _run(command: list[str], cure: str) -> None:
    if subprocess.run(command, check=False, stdout=sys.stderr).returncode:
        sys.exit(cure)


if __name__ == "__main__":
    main()
