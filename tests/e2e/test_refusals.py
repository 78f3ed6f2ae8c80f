"""Our services refuse every document that the golden vectors call invalid, and name the place that is wrong."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from contracts.vectors import Vector, invalid
from support.daemon import running_daemon
from support.runtime import running_runtime

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_RUN, _BATCH = "runtime/runs/run_request.schema.json", "runtime/runs/run_batch_request.schema.json"
_DAEMON = {
    "POST /v1/runs": _RUN,
    "POST /v1/runs:batch": _BATCH,
    "POST /v1/runs:cancel": "daemon/runs/run_cancel_request.schema.json",
    "POST /v1/instances": "daemon/instances/instance_create_request.schema.json",
    "POST /v1/instances:register": "daemon/instances/instance_register_request.schema.json",
    "PUT /v1/admin/runtime-profiles/p": "daemon/runtime_profiles/runtime_profile_upsert_request.schema.json",
}
_RUNTIME = {"POST /v1/runs": _RUN, "POST /v1/runs:batch": _BATCH}
# Whether it is a URI is told where it is called: there it has to be more than that.
_TOLD_ELSEWHERE = {"`runtime_selector.runtime_api_endpoint` is a path"}


@pytest.fixture(params=["daemon", "runtime"])
async def service(
    request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, str]]]:
    """A client of each of our services, and the schemas of what it takes."""
    if request.param == "daemon":
        async with running_daemon(tmp_path / "data") as daemon, httpx.AsyncClient(base_url=daemon.url) as client:
            yield client, _DAEMON
    else:
        async with running_runtime() as runtime, httpx.AsyncClient(base_url=runtime.base_url) as client:
            yield client, _RUNTIME


async def test_every_invalid_request_is_refused_and_its_place_is_named(
    service: tuple[httpx.AsyncClient, dict[str, str]],
) -> None:
    """With 400 and an ErrorEnvelope; in a batch, the request that is wrong is refused alone."""
    client, schemas = service
    for operation, schema in schemas.items():
        method, path = operation.split()
        for vector in invalid(schema):
            if vector.why not in _TOLD_ELSEWHERE:
                body, headers = json.dumps(vector.document), {"content-type": "application/json"}
                answer = await client.request(method, path, content=body, headers=headers)
                _assert_refused(answer, vector)


def _assert_refused(answer: httpx.Response, vector: Vector) -> None:
    place, error = vector.at, answer.json()
    item = re.match(r"\$\.runs\[(\d+)\]", place)
    if item is not None:
        assert answer.status_code == 200, (vector, answer.text)
        place, error = place.replace(item[0], "$"), error["results"][int(item[1])]
    else:
        assert answer.status_code == 400, (vector, answer.text)
    assert _place_named(error["error"]) == re.sub(r"\.key$", "[...]", place), (vector, answer.text)


def _place_named(error: dict[str, Any]) -> str:
    """The place that an error's message names, at its end or at its beginning; none is the whole document."""
    found = re.search(r"at (?:`key` in )?`([^`]+)`\.$|^(\$[^:]*):", error["message"])
    return (found[1] or found[2]) if found else "$"
