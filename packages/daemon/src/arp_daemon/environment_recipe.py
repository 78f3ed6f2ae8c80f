"""What the Python environment of a profile is made from, and by which steps. Pure, but for looking around once."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from arp_daemon.errors import InvalidProfileError
from arp_daemon.redaction import hide_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arp_daemon.exec_spec import PythonExec

# A change of how environments are made makes another one of the same requirements.
_FORMAT = 1
_KEY_DIGITS = 32
_RUNTIME = "arp-runtime"
# What our runtime is made of; the rest of what it needs is installed beside them.
_RUNTIME_PACKAGES = ("arp_runtime", "arp_sdk", "arp_service", "arp_model")
_PROGRAM = re.compile(r"\{bin\}/([^/]+)\Z")


class Step(NamedTuple):
    """One program that is run while an environment is built; `title` ends a sentence that begins with "Cannot"."""

    title: str
    argv: list[str]


class Sources(NamedTuple):
    """Where packages are looked for; what is empty is as the operator has it."""

    index_url: str
    extra_index_urls: tuple[str, ...]
    find_links: tuple[str, ...]
    no_index: bool

    def without_credentials(self) -> list[Any]:
        """The same for a key."""
        hidden = [[hide_credentials(url) for url in urls] for urls in (self.extra_index_urls, self.find_links)]
        return [hide_credentials(self.index_url), *hidden, self.no_index]


@dataclass(frozen=True)
class Recipe:
    """Profiles with the same `key` share an environment. The key says nothing of credentials."""

    key: str
    interpreter: Path
    uv: tuple[str, ...] | None
    """How uv is called; None means pip."""
    requirements: tuple[str, ...]
    sources: Sources
    runs_agent: bool
    lent: tuple[str, ...]
    """The folders of our own runtime, where the environment does not bring one of its own."""
    programs: tuple[str, ...]
    """What has to be in the environment's `bin`."""
    timeout_s: float

    @property
    def urls(self) -> list[str]:
        """Everything in it that may hold credentials."""
        sources = self.sources
        return [sources.index_url, *sources.extra_index_urls, *sources.find_links, *self.requirements]

    def steps(self, folder: Path, requirements: Path) -> list[Step]:
        """What makes the environment in `folder`, from the file of requirements."""
        inside = str(folder / "bin" / "python")
        options = ["--no-index"] if self.sources.no_index else []
        if self.uv is not None:
            create = [*self.uv, "venv", "--no-project", "--python", str(self.interpreter), str(folder)]
            install = [*self.uv, "pip", "install", "--python", inside]
        else:
            create = [str(self.interpreter), "-I", "-m", "venv", str(folder)]
            install = [inside, "-I", "-m", "pip", "install", "--no-input", "--disable-pip-version-check"]
        install += [*options, "--requirement", str(requirements)]
        return [Step("create the environment", create), Step("install the requirements", install)]

    def last_steps(self, folder: Path) -> list[Step]:
        """What shows that it can be used."""
        if not self.runs_agent:
            return []
        inside = str(folder / "bin" / "python")
        return [Step("import arp-runtime in the environment", [inside, "-I", "-c", "import arp_runtime.cli"])]


def recipe_of(details: PythonExec, interpreters: Mapping[str, Path]) -> Recipe:
    """Return the recipe of a profile's environment.

    Raises:
        InvalidProfileError: it names an interpreter or an installer that is not there, or needs our runtime where it
            cannot be lent.
    """
    own = details.python is None
    interpreter = Path(sys.executable) if own else interpreters.get(str(details.python))
    if interpreter is None:
        raise InvalidProfileError(
            f"python: {details.python!r} is no interpreter that the operator has named; see --interpreter."
        )
    uv = None if details.installer == "pip" else find_uv()
    if details.installer == "uv" and uv is None:
        raise InvalidProfileError("installer: uv is neither installed beside the daemon nor on its PATH.")
    brings_runtime = details.agent is None or _RUNTIME in {_name(r) for r in details.requirements}
    if not brings_runtime and not own:
        raise InvalidProfileError(f"requirements: an agent on another python needs {_RUNTIME} among them.")
    lent = () if brings_runtime else runtime_folders()
    programs = tuple(sorted({m[1] for word in details.command or () if (m := _PROGRAM.match(word))}))
    sources = Sources(
        details.index_url or "", tuple(details.extra_index_urls), tuple(details.find_links), details.no_index
    )
    parts = [
        _FORMAT,
        [str(interpreter), sys.version if own else str(interpreter.resolve())],
        "pip" if uv is None else "uv",
        [hide_credentials(requirement) for requirement in details.requirements],
        sources.without_credentials(),
        lent,
        programs,
    ]
    return Recipe(
        key=hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_KEY_DIGITS],
        interpreter=interpreter,
        uv=uv,
        requirements=tuple(details.requirements),
        sources=sources,
        runs_agent=details.agent is not None,
        lent=lent,
        programs=programs,
        timeout_s=details.build_timeout_s,
    )


@cache
def find_uv() -> tuple[str, ...] | None:
    """How to call uv, or None where there is none: the one installed beside the daemon, or the one on its PATH."""
    if find_spec("uv") is not None:
        return (sys.executable, "-I", "-m", "uv")
    program = shutil.which("uv")
    return None if program is None else (program,)


@cache
def runtime_folders() -> tuple[str, ...]:
    """The folders from which this very interpreter would import our runtime and what it needs."""
    specs = [spec for name in _RUNTIME_PACKAGES if (spec := find_spec(name)) is not None]
    found = [str(Path(spec.origin).parent.parent) for spec in specs if spec.origin is not None]
    paths = sysconfig.get_paths()
    return tuple(dict.fromkeys([*found, paths["purelib"], paths["platlib"]]))


def site_packages(folder: Path) -> Path:
    """Where an environment of this very interpreter looks for packages."""
    return folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"


def _name(requirement: str) -> str | None:
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return None
