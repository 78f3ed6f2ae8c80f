"""The files of the checkout, as the checks of the tree see them."""

import ast
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@cache
def list_files() -> tuple[Path, ...]:
    """Every file that git tracks or would track, relative to the root."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for name in listed.split("\0") if name and (ROOT / (path := Path(name))).is_file())


def list_python(*tops: str) -> list[Path]:
    """The hand-written Python files, all of them or those below the folders that are named."""
    return [
        path
        for path in list_files()
        if path.suffix == ".py" and "generated" not in path.parts and (not tops or path.parts[0] in tops)
    ]


@cache
def read(path: Path) -> str:
    """The text of a file; what is not text comes back as replacement characters."""
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


@cache
def parse(path: Path) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(read(path), filename=str(path))
