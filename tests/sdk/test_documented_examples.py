"""The examples of docs/sdk.md run as they are written, with only the daemon's address filled in."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from contracts.tree import ROOT

if TYPE_CHECKING:
    from sdk.service import Service

DOCUMENT = (ROOT / "docs" / "sdk.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", DOCUMENT, re.DOTALL | re.MULTILINE)
PLACE = "http://<daemon-host>:<port>"

INSTANCE = {"instance_id": "i1", "state": "starting", "runtime_api_endpoint": "http://127.0.0.1:1"}
HEALTH = {"status": "ok", "time": "2025-06-01T12:00:00Z"}
CREATED = {"instances": [INSTANCE]}
EVENTS = "".join(
    f'id: {seq}\nevent: {type_}\ndata: {{"run_id":"r1","seq":{seq},"type":"{type_}",'
    f'"time":"2025-06-01T12:00:00Z","data":{{"n":{seq}}}}}\n\n'
    for seq, type_ in enumerate(("step", "final"))
)

# What each example prints, in the order of the document.
PRINTED = [
    f"{HEALTH}\n{CREATED}\n",
    "{'run_id': 'r1', 'ok': True, 'output': {'answer': '437'}}\n",
    "437\n",
    "0 step {'n': 0}\n1 final {'n': 1}\n",
    "437\n437\n0 step\n1 final\n",
    "r1\nToo much waits.\nr1 queued\n2\n",
    "{}\n",
    "404 run_not_found\n",
    "",
]


@pytest.fixture
def daemon(service: Service) -> Service:
    """A service that answers what the examples ask."""
    service.answer("GET", "/v1/health", HEALTH)
    service.answer("POST", "/v1/instances", CREATED)
    service.answer("POST", "/v1/runs", {"run_id": "r1", "state": "queued"}, status=202)
    service.answer("GET", "/v1/runs/r1", {"run_id": "r1", "state": "succeeded"})
    service.answer("GET", "/v1/runs/r1/result", {"run_id": "r1", "ok": True, "output": {"answer": "437"}})
    service.answer("GET", "/v1/runs/r1/events", EVENTS)
    service.media_types["GET", "/v1/runs/r1/events"] = "text/event-stream"
    refused = {"error": {"code": "queue_full", "message": "Too much waits."}}
    queued = {"run_id": "r1", "state": "queued"}
    service.answer("POST", "/v1/runs:batch", {"results": [{"status": queued}, refused]})
    service.answer("GET", "/v1/runs", {"runs": [queued]})
    service.answer("POST", "/v1/runs:cancel", {"count": 2, "run_ids": ["r1", "r2"], "dry_run": True})
    missing = {"error": {"code": "run_not_found", "message": "Run 'no-such-run' does not exist."}}
    service.answer("GET", "/v1/runs/no-such-run", missing, status=404)
    return service


def test_every_example_is_run() -> None:
    """No example of the document is left out here."""
    assert len(EXAMPLES) == len(PRINTED)
    assert all(PLACE in example or "FakeService" in example for example in EXAMPLES)


@pytest.mark.parametrize(("example", "printed"), list(zip(EXAMPLES, PRINTED, strict=False)))
def test_an_example_works_as_it_is_written(daemon: Service, example: str, printed: str) -> None:
    """A reader who copies an example gets what it says, and no warning either."""
    code = example.replace(PLACE, daemon.url)
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ran.stdout, ran.stderr) == (printed, "")
