"""Schemathesis against the documents that runtime and daemon serve: all checks, all phases.

It cancels, deletes and drains what it finds, so it has services of its own, whatever URLs are given.
"""

from __future__ import annotations

import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest

from conformance.openapi_run import KINDS, configuration, entries, run
from conformance.programs import serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVICES = ("runtime", "daemon")
CHECKS = {
    "negative_data_rejection",
    "positive_data_acceptance",
    "response_schema_conformance",
}
_METHODS = {"get", "put", "post", "delete"}
_PHASES = ("examples", "coverage", "fuzzing", "stateful")
# That a token is needed changes nothing of what is answered to who shows it, so the quick phases are enough.
_QUICK_PHASES = ("examples", "coverage")


@pytest.fixture(scope="module")
def token_file(folder: Path) -> Path:
    """Both have one token."""
    path = folder / "token"
    path.touch(0o600)
    path.write_text(secrets.token_urlsafe(32))
    return path


@pytest.fixture(scope="module")
def urls(folder: Path, token_file: Path) -> Iterator[dict[str, str]]:
    """A runtime and a daemon that nobody else uses, by kind."""
    with ExitStack() as stack:
        options = {"runtime": (), "daemon": ("--data-dir", str(folder / "schemathesis"))}
        token = ("--token-file", str(token_file))
        yield {
            kind: stack.enter_context(
                serving(f"arp-{kind}", folder / f"schemathesis-{kind}.log", *token, *options[kind])
            )
            for kind in SERVICES
        }


def operations(url: str) -> set[str]:
    """What the document of a service names."""
    document = httpx.get(f"{url}/openapi.json", trust_env=False).json()
    return {path[method]["operationId"] for path in document["paths"].values() for method in _METHODS & set(path)}


@pytest.mark.timeout(3600)
@pytest.mark.requirement("openapi.kept")
@pytest.mark.parametrize("needs_token", [False, True], ids=["own-user", "token"])
@pytest.mark.parametrize("kind", SERVICES)
def test_a_service_keeps_its_document(
    kind: str, *, needs_token: bool, urls: dict[str, str], token_file: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """Whatever is asked, the answer is in the document; what the document allows is taken, and nothing else.

    Where the token is needed, nobody without it is answered anything, nor with another.
    """
    max_examples: int = pytestconfig.getoption("max_examples")
    phases = _QUICK_PHASES if needs_token else _PHASES
    token = token_file.read_text() if needs_token else None
    outcome = run(urls[kind], configuration(kind, urls["runtime"], max_examples, token), tmp_path, phases)
    assert outcome.exit_code == 0, outcome.text
    assert {phase: outcome.report["phases"][phase]["status"] for phase in phases} == dict.fromkeys(phases, "success")
    left_out = [entry for entry in entries(kind) if entry.kind == "left_out"]
    never = [entry for entry in left_out if set(phases) <= set(entry.more.get("phases", phases))]
    tested, cases = outcome.report["operations"]["tested"], outcome.report["test_cases"]["generated"]
    assert tested == len(operations(urls[kind])) - len(never)
    print(f"{kind}: {tested} operations, {cases} cases")


@pytest.mark.parametrize("kind", SERVICES)
def test_each_exception_is_of_something_and_has_a_reason(kind: str, urls: dict[str, str]) -> None:
    """An exception that no operation needs any more is taken out."""
    known = operations(urls[kind])
    for entry in entries(kind):
        assert entry.kind in KINDS
        assert entry.operation in known
        assert entry.reason.strip().endswith(".")
        assert set(entry.more) <= {"phases", "check", "statuses", "parameter", "value", "words"}
        assert entry.kind != "accepted" or entry.more["check"] in CHECKS
