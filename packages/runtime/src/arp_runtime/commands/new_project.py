"""Writing a project from the template that comes with this package.

In the template's file names and texts, `$name` is what the agent is called and `$package` the name of its package.
"""

from __future__ import annotations

import keyword
import re
import shutil
import sys
from importlib.resources import as_file, files
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*\Z")
# So that no tool takes the template's files for a project.
_SUFFIX = ".in"


class CannotInitError(Exception):
    """No project can be written; the message says why, and what to do."""


def write_project(parent: Path, name: str) -> Path:
    """Write the project into the new folder `parent / name`, whole or not at all, and return that.

    Raises:
        CannotInitError: the name is not fit for a package, the folder is there, or it cannot be written.
    """
    package = _package(name)
    folder = parent / name
    try:
        folder.mkdir()
    except OSError as exc:
        cure = "choose another name" if isinstance(exc, FileExistsError) else "choose another place"
        raise CannotInitError(f"init {name}: {exc.strerror}: {folder}; {cure}.") from exc
    try:
        with as_file(files("arp_runtime.commands") / "project_template") as template:
            _write(template, folder, {"name": name, "package": package})
    except OSError as exc:
        shutil.rmtree(folder, ignore_errors=True)
        raise CannotInitError(f"init {name}: {exc}") from exc
    return folder


def _package(name: str) -> str:
    package = name.replace("-", "_")
    if not _NAME.match(name) or keyword.iskeyword(package):
        raise CannotInitError(f"init {name}: use lower-case letters, digits and hyphens, such as my-agent.")
    if package in sys.stdlib_module_names or package in {"arp_runtime", "arp_model", "arp_service", "tests"}:
        raise CannotInitError(f"init {name}: {package} is a module already; choose another name.")
    return package


def _write(template: Path, folder: Path, values: dict[str, str]) -> None:
    for source in sorted(template.rglob(f"*{_SUFFIX}")):
        relative = source.relative_to(template).with_suffix("")
        target = folder.joinpath(*(Template(part).substitute(values) for part in relative.parts))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(Template(source.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
