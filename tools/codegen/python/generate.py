"""Generates the Python code that follows from the spec.

`python3 tools/codegen/python/generate.py --version v1`
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bundle import bundle
from models import model_files
from operations import operation_files

_REPOSITORY = Path(__file__).resolve().parents[3]


def generated(version: str) -> dict[Path, str]:
    """Return the text of every generated file, by its path in the repository."""
    spec = _REPOSITORY / "spec" / version
    models = Path("packages/model/src/arp_model/generated")
    operations = Path("packages/sdk/src/arp_sdk/generated")
    files = {models / name: text for name, text in model_files(bundle(spec / "schemas")).items()}
    files.update({operations / name: text for name, text in operation_files(spec / "openapi").items()})
    return files


def drift(files: dict[Path, str], root: Path) -> list[str]:
    """Return one sentence for each file below `root` that is not what it should be."""
    problems = []
    for folder in sorted({path.parent for path in files}):
        present = {path.relative_to(root) for path in (root / folder).glob("*.py")}
        problems += [f"{path}: not generated from the spec" for path in sorted(present - set(files))]
    for path, text in files.items():
        if not (root / path).exists():
            problems.append(f"{path}: missing")
        elif (root / path).read_text(encoding="utf-8") != text:
            problems.append(f"{path}: differs from what the spec says")
    return problems


def write(files: dict[Path, str], root: Path) -> None:
    """Write the files below `root`, and remove generated files that are no longer wanted."""
    for folder in {path.parent for path in files}:
        (root / folder).mkdir(parents=True, exist_ok=True)
        for present in (root / folder).glob("*.py"):
            if present.relative_to(root) not in files:
                present.unlink()
    for path, text in files.items():
        (root / path).write_text(text, encoding="utf-8")


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit status: 1 where `--check` finds drift."""
    parser = argparse.ArgumentParser(description="Generate arp_model and arp_sdk from spec/.")
    parser.add_argument("--version", default="v1", choices=["v1"], help="which version of the spec")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the files differ")
    parser.add_argument("--root", type=Path, default=_REPOSITORY, help="where to write or check the files")
    options = parser.parse_args(arguments)
    files = generated(options.version)
    if not options.check:
        write(files, options.root)
        print(f"{len(files)} files written")
        return 0
    problems = drift(files, options.root)
    print("\n".join([*problems, f"{len(files)} files, {len(problems)} differences"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
