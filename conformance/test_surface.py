"""Every operation is there: asked for things that do not exist, and with bodies that lack everything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from conformance.goals import not_applicable
from conformance.judgement import NotMetError
from conformance.service import Json, Service, assert_refused, new_id, read, read_any

if TYPE_CHECKING:
    from conformance.operations import Operation

# These answer "there is no such path" or "not here", whatever is asked.
_NOT_SERVED = {405, 501}


def _ask(service: Service, operation: Operation) -> int:
    """Ask for it with ids that nothing has, and without what a body must have; return the status."""
    path = re.sub(r"\{\w+\}", new_id("nothing"), operation.template)
    body: Json | None = {} if operation.method in {"POST", "PUT"} else None
    with service.http.stream(operation.method, path, json=body) as response:
        return response.status_code


@pytest.mark.requirement("endpoints.required")
def test_every_required_operation_is_served(service: Service, required_operation: Operation) -> None:
    """It answers for itself: a list succeeds, and what cannot be done is refused without breaking down."""
    status = _ask(service, required_operation)
    shown = f"{required_operation.method} {required_operation.template}"
    if status in _NOT_SERVED or status >= 500:
        raise NotMetError(f"{shown} is served, not answered with {status}")
    if status == 404 and required_operation.needs_body:
        raise NotMetError(f"{shown} is served, not a path that does not exist")
    if status != 200 and required_operation.method == "GET" and "{" not in required_operation.template:
        raise NotMetError(f"{shown} succeeds, and is not answered with {status}")


@pytest.mark.requirement("endpoints.additions")
def test_every_addition_is_served(service: Service, added_operation: Operation) -> None:
    """What our documents have beyond the standard, where the service has anything beyond it."""
    if not service.features:
        not_applicable("the service announces no additions")
    status = _ask(service, added_operation)
    if status in _NOT_SERVED or status >= 500:
        raise NotMetError(f"{added_operation.method} {added_operation.template} is served, not answered with {status}")


@pytest.mark.requirement("request.missing_field")
def test_a_body_that_lacks_everything_is_refused(service: Service, operation_with_body: Operation) -> None:
    """The schemas of these requests have required fields: an empty object is none."""
    assert_refused(service.http.post(operation_with_body.template, json={}))


@pytest.mark.requirement("runs.list")
def test_runs_are_listed(daemon: Service) -> None:
    """The list answers. (Its shape, the contract sees to.)"""
    read(daemon.http.get("/v1/runs"), "daemon/runs/run_list_response")


@pytest.mark.requirement("instances.list")
def test_instances_are_listed(daemon: Service) -> None:
    """The list answers."""
    read(daemon.http.get("/v1/instances"), "daemon/instances/instance_list_response")


@pytest.mark.requirement("profiles.list")
def test_profiles_are_listed(daemon: Service) -> None:
    """The list answers."""
    read(daemon.http.get("/v1/admin/runtime-profiles"), "daemon/runtime_profiles/runtime_profile_list_response")


@pytest.mark.requirement("tools.list")
def test_tools_are_listed(tool_registry: Service) -> None:
    """The list answers."""
    read_any(tool_registry.http.get("/v1/tools"), "tool_registry/tools/tool_definition[]")
