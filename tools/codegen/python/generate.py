"""Generates what follows from the spec: Python code, and the documents that services serve.

`python3 tools/codegen/python/generate.py --version v1`
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bundle import bundle
from documents import served_document
from drift import find_drift, write_files
from models import model_files

from operations import operation_files

_REPOSITORY = Path(__file__).resolve().parents[3]
# The documents that services serve, and where each has its own.
_SERVED = {
    f"{service}.openapi.yaml": Path(f"packages/{service}/src/arp_{service}/generated/openapi.json")
    for service in ("daemon", "runtime")
}


def generated(version: str) -> dict[Path, str]:
    """Return the text of every generated file, by its path in the repository."""
    spec = _REPOSITORY / "spec" / version
    models = Path("packages/model/src/arp_model/generated")
    operations = Path("packages/sdk/src/arp_sdk/generated")
    files = {models / name: text for name, text in model_files(bundle(spec / "schemas")).items()}
    files.update({operations / name: text for name, text in operation_files(spec / "openapi").items()})
    files.update({path: served_document(spec / "openapi" / name) for name, path in _SERVED.items()})
    return files


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit status: 1 where `--check` finds drift."""
    parser = argparse.ArgumentParser(description="Generate arp_model, arp_sdk and the served documents from spec/.")
    parser.add_argument("--version", default="v1", choices=["v1"], help="which version of the spec")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the files differ")
    options = parser.parse_args(arguments)
    files = generated(options.version)
    if not options.check:
        write_files(files, _REPOSITORY)
        print(f"{len(files)} files written")
        return 0
    problems = find_drift(files, _REPOSITORY)
    print("\n".join([*problems, f"{len(files)} files, {len(problems)} differences"]))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
