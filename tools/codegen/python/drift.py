"""Compares generated files with those in a checkout, and puts them there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def find_drift(files: dict[Path, str], root: Path) -> list[str]:
    """Return one sentence for each file below `root` that is not what it should be."""
    problems = []
    for folder in sorted({path.parent for path in files}):
        present = {path.relative_to(root) for path in (root / folder).glob("*.*") if path.is_file()}
        problems += [f"{path}: not generated from the spec" for path in sorted(present - set(files))]
    for path, text in files.items():
        if not (root / path).exists():
            problems.append(f"{path}: missing")
        elif (root / path).read_text(encoding="utf-8") != text:
            problems.append(f"{path}: differs from what the spec says")
    return problems


def write_files(files: dict[Path, str], root: Path) -> None:
    """Write the files below `root`, and remove generated files that are no longer wanted."""
    for folder in {path.parent for path in files}:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for present in (root / folder).glob("*.*"):
            if present.is_file() and present.relative_to(root) not in files:
                present.unlink()
    for path, text in files.items():
        (root / path).write_text(text, encoding="utf-8")
