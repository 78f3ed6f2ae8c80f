"""Schemathesis, run against a service: its configuration is what `openapi.toml` says, its findings are its report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from conformance.patience import ANSWER_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HERE = Path(__file__).parent
KINDS = ("left_out", "accepted", "drawn", "pinned")
# What answers to data that fits the document: done, or not in this state of things.
_TAKEN = ["2xx", 404, 409, 429, 503]
# What answers to data that does not: also a path that leads elsewhere.
_REFUSED = [400, 404, 405, 415]
_NO_BUG = ["2xx", "3xx", "4xx", 503]
_MOSTLY = 0.8
_OFF = {"enabled": False}


class Entry(NamedTuple):
    """One entry of the file, for one service."""

    kind: str
    operation: str
    reason: str
    more: dict[str, Any]


class Outcome(NamedTuple):
    """How a run ended."""

    exit_code: int
    text: str
    """All that Schemathesis said."""
    report: dict[str, Any]
    """Its report: operations, phases, test_cases and failures among much else. Empty where it could not begin."""


def entries(service: str) -> Iterator[Entry]:
    """What `openapi.toml` says for a service."""
    document = tomllib.loads((HERE / "openapi.toml").read_text(encoding="utf-8"))
    for kind in document:
        for entry in document[kind]:
            if service in entry.pop("services"):
                yield Entry(kind, entry.pop("operation"), entry.pop("reason"), entry)


def configuration(service: str, runtime_url: str, max_examples: int, token: str | None) -> dict[str, Any]:
    """The configuration, as schemathesis.toml has it: the same seed, and so the same cases, each time.

    With a token, it is needed: what is asked comes as through a proxy.
    """
    operations: dict[str, dict[str, Any]] = {}
    dictionaries: dict[str, dict[str, Any]] = {}
    for entry in entries(service):
        operation = operations.setdefault(entry.operation, {"include-operation-id": entry.operation})
        if entry.kind == "left_out":
            phases = entry.more.get("phases")
            operation |= _OFF if phases is None else {"phases": dict.fromkeys(phases, _OFF)}
        elif entry.kind == "drawn":
            dictionaries[entry.operation] = {"values": entry.more["words"]}
            drawn = {"dictionary": entry.operation, "probability": _MOSTLY}
            operation.setdefault("parameters", {})[entry.more["parameter"]] = drawn
        elif entry.kind == "pinned":
            value = entry.more["value"].replace("{runtime}", runtime_url)
            operation.setdefault("parameters", {})[entry.more["parameter"]] = value
        else:
            operation.setdefault("checks", {})[entry.more["check"]] = _let_pass(entry.more.get("statuses"))
    return {
        "hooks": f"conformance.{'openapi_hooks' if token is None else 'openapi_proxy'}",
        "continue-on-failure": True,
        "request-timeout": ANSWER_TIMEOUT_S,
        "headers": {} if token is None else {"Via": "1.1 proxy", "Authorization": f"Bearer {token}"},
        "generation": {"deterministic": True, "max-examples": max_examples, "database": "none"},
        "checks": {
            "not_a_server_error": {"expected-statuses": _NO_BUG},
            "positive_data_acceptance": {"expected-statuses": _TAKEN},
            "negative_data_rejection": {"expected-statuses": _REFUSED},
        },
        "dictionaries": dictionaries,
        "operations": list(operations.values()),
    }


def run(url: str, config: dict[str, Any], folder: Path, phases: Sequence[str]) -> Outcome:
    """Run Schemathesis against the service at `url`; what it writes goes into `folder`."""
    config_file, report = folder / "schemathesis.toml", folder / "report.json"
    lines = [f"{key} = {_toml(value)}\n" for key, value in config.items()]
    config_file.write_text("".join(lines), encoding="utf-8")
    command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={config_file}", "--no-color", "run"]
    options = [f"--phases={','.join(phases)}", "--report=json", f"--report-json-path={report}"]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run(
        [*command, *options, f"{url}/openapi.json"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    return Outcome(done.returncode, done.stdout + done.stderr, told)


def _let_pass(statuses: list[int] | None) -> dict[str, Any]:
    return _OFF if statuses is None else {"expected-statuses": [*_TAKEN, *statuses]}


def _toml(value: Any) -> str:
    """A value as TOML has it in one line."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{json.dumps(key)} = {_toml(item)}' for key, item in value.items())}}}"
    return f"[{', '.join(map(_toml, value))}]" if isinstance(value, list) else json.dumps(value)
