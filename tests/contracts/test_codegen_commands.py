"""The two commands of the SDK's document, run to the letter, in a checkout and an environment of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.tree import ROOT

# The commands as seed 002 has them.
INSTALL = "python3 -m pip install -r tools/codegen/python/requirements.txt"
GENERATE = "python3 tools/codegen/python/generate.py --version v1"

# What one command may take, in seconds; installing has to fetch packages.
COMMAND_TIMEOUT = 120
GENERATED = (
    Path("packages/model/src/arp_model/generated"),
    Path("packages/sdk/src/arp_sdk/generated"),
    Path("packages/daemon/src/arp_daemon/generated"),
    Path("packages/runtime/src/arp_runtime/generated"),
)

# Several commands are a test, and the environment is made before the first.
pytestmark = pytest.mark.timeout(3 * COMMAND_TIMEOUT)

Ran = subprocess.CompletedProcess[str]
Run = Callable[[str], Ran]


@pytest.fixture(scope="module")
def run_in(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path, str], Ran]:
    """Return a function that runs a command line in a folder, with `python3` being that of a fresh environment."""
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=True)

    def run(folder: Path, command: str) -> Ran:
        path = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
        variables = {**os.environ, "PATH": path, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        return subprocess.run(
            command,
            shell=True,
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            timeout=COMMAND_TIMEOUT,
            check=False,
        )

    installed = run(ROOT, INSTALL)
    assert installed.returncode == 0, installed.stderr
    return run


@pytest.fixture
def run(tmp_path: Path, run_in: Callable[[Path, str], Ran]) -> Run:
    """Return a function that runs a command line in a copy of the checkout, `tmp_path`."""
    skipped = shutil.ignore_patterns("__pycache__")
    for part in (Path("spec"), Path("tools/codegen"), *GENERATED):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=skipped)
    return lambda command: run_in(tmp_path, command)


def files(folder: Path) -> dict[str, bytes]:
    """The generated files of a folder, by name."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def change_schema(checkout: Path, name: str, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a schema of the copy."""
    path = checkout / "spec/v1/schemas" / name
    schema = json.loads(path.read_text(encoding="utf-8"))
    change(schema)
    path.write_text(json.dumps(schema), encoding="utf-8")


def test_both_commands_make_what_is_checked_in(tmp_path: Path, run: Run) -> None:
    """From an empty start, the commands write each generated file as it is in the repository, to the byte."""
    for folder in GENERATED:
        shutil.rmtree(tmp_path / folder)
    ran = run(GENERATE)
    assert ran.returncode == 0, ran.stderr
    for folder in GENERATED:
        assert files(tmp_path / folder) == files(ROOT / folder)


def test_check_passes_while_nothing_drifted_and_writes_nothing(tmp_path: Path, run: Run) -> None:
    """`--check` is content with a fresh checkout, and leaves it as it is."""
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("generated/*.*")}
    ran = run(f"{GENERATE} --check")
    assert (ran.returncode, ran.stdout) == (0, "9 files, 0 differences\n")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("generated/*.*")} == before


def test_check_fails_where_a_generated_file_drifted(tmp_path: Path, run: Run) -> None:
    """An edited, a missing and a left-over file are each named, and the exit status is 1."""
    models, operations, daemon, runtime = GENERATED
    with (tmp_path / models / "types.py").open("a", encoding="utf-8") as file:
        file.write("# a hand was here\n")
    (tmp_path / models / "maps.py").unlink()
    (tmp_path / operations / "old.py").touch()
    (tmp_path / daemon / "openapi.json").write_text("{}", encoding="utf-8")
    (tmp_path / runtime / "old.json").touch()
    ran = run(f"{GENERATE} --check")
    assert ran.returncode == 1
    assert ran.stdout.splitlines() == [
        f"{runtime}/old.json: not generated from the spec",
        f"{operations}/old.py: not generated from the spec",
        f"{models}/maps.py: missing",
        f"{models}/types.py: differs from what the spec says",
        f"{daemon}/openapi.json: differs from what the spec says",
        "9 files, 5 differences",
    ]


def test_check_fails_where_the_spec_went_ahead(tmp_path: Path, run: Run) -> None:
    """A schema that changed asks for generating again; generating then makes the check pass."""
    change_schema(tmp_path, "common/status.schema.json", lambda schema: schema["enum"].append("unsure"))
    assert run(f"{GENERATE} --check").returncode == 1
    assert run(GENERATE).returncode == 0
    assert run(f"{GENERATE} --check").returncode == 0
    assert 'UNSURE = "unsure"' in (tmp_path / GENERATED[0] / "types.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "change", "says"),
    [
        (
            "runtime/runs/run_status.schema.json",
            lambda schema: schema["properties"]["run_id"].update(minLength=1),
            "no rule for ['minLength']",
        ),
        (
            "runtime/runs/run_status.schema.json",
            lambda schema: schema.update(additionalProperties=True),
            "must refuse others",
        ),
        ("common/pagination.schema.json", lambda schema: schema.pop("title"), "needs a title"),
        ("common/pagination.schema.json", lambda schema: schema.update(title="Status"), "is taken"),
        (
            "common/extensions.schema.json",
            lambda schema: schema["patternProperties"].update({"^x$": {}}),
            "may only be one pattern",
        ),
        (
            "tool_registry/tools/tool_invocation_request.schema.json",
            lambda schema: schema["anyOf"].append({"required": ["args", "context"]}),
            "may only list single required properties",
        ),
    ],
)
def test_a_schema_that_the_types_could_not_enforce_is_refused(
    tmp_path: Path, run: Run, name: str, change: Callable[[dict[str, Any]], object], says: str
) -> None:
    """Nothing is dropped without a word: what no rule fits ends the generator, and nothing is written."""
    change_schema(tmp_path, name, change)
    ran = run(GENERATE)
    assert ran.returncode != 0
    assert says in ran.stderr
    for folder in GENERATED:
        assert files(tmp_path / folder) == files(ROOT / folder)
