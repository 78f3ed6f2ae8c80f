"""The names that arp_model offers, and how its types are constructed."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import pytest

import arp_model
from arp_model import (
    InstanceCreateRequest,
    Model,
    RunEventType,
    RunRequest,
    RunRequestInput,
    RunRequestLimits,
    ToolSource,
    TraceLevel,
)
from arp_model.generated import types

# Names of types that users of the published SDK know, or that the documents promise.
KNOWN = [
    "ErrorCause",
    "ErrorDetail",
    "ErrorEnvelope",
    "Extensions",
    "EndpointLocator",
    "Health",
    "HealthChecksItem",
    "InstanceCreateRequest",
    "InstanceCreateRequestOverrides",
    "InstanceCreateResponse",
    "InstanceListResponse",
    "InstanceRegisterRequest",
    "InstanceRegisterResponse",
    "InstanceState",
    "Metadata",
    "Pagination",
    "ResourceRef",
    "RunBatchItem",
    "RunBatchRequest",
    "RunBatchResponse",
    "RunCancelRequest",
    "RunCancelResponse",
    "RunEvent",
    "RunEventType",
    "RunListResponse",
    "RunRequest",
    "RunRequestInput",
    "RunRequestLimits",
    "RunRequestRuntimeSelector",
    "RunRequestToolPolicy",
    "RunResult",
    "RunState",
    "RunStatus",
    "RuntimeInstance",
    "RuntimeProfile",
    "RuntimeProfileDefaults",
    "RuntimeProfileListResponse",
    "RuntimeProfileUpsertRequest",
    "RuntimeProfileUpsertRequestDefaults",
    "Status",
    "ToolDefinition",
    "ToolInvocationRequest",
    "ToolInvocationResult",
    "ToolSource",
    "TraceEvent",
    "TraceIndex",
    "TraceIndexRunsItem",
    "TraceLevel",
    "TraceResponse",
    "VersionInfo",
    "VersionInfoBuild",
]


def test_every_generated_type_can_be_imported_from_the_package() -> None:
    """A type that the generator adds has to be offered too."""
    made = {name for name, item in vars(types).items() if inspect.isclass(item) and item.__module__ == types.__name__}
    assert made <= set(arp_model.__all__)


def test_all_names_what_is_there() -> None:
    """`__all__` is complete and true."""
    assert [name for name in arp_model.__all__ if not hasattr(arp_model, name)] == []
    assert len(set(arp_model.__all__)) == len(arp_model.__all__)


def test_known_names_stay() -> None:
    """No name that users know goes away."""
    assert set(KNOWN) <= set(arp_model.__all__)


@pytest.mark.parametrize("name", KNOWN)
def test_every_type_says_what_it_is(name: str) -> None:
    """The schema's description is the type's docstring."""
    item = getattr(arp_model, name)
    if inspect.isclass(item):
        assert inspect.getdoc(item)


def test_required_fields_come_first_in_a_constructor() -> None:
    """What is required may be given by position, and everything by name."""
    assert RunRequest(RunRequestInput("x")) == RunRequest(input_=RunRequestInput(goal="x"))
    assert InstanceCreateRequest("default", 1) == InstanceCreateRequest(runtime_profile="default", count=1)
    assert RunRequest(RunRequestInput("x"), limits=RunRequestLimits(max_steps=1)).run_id is arp_model.UNSET


def test_enum_members_bear_the_words_in_capitals() -> None:
    """An enum's member is named by its word."""
    assert [member.name for member in RunEventType] == [member.value.upper() for member in RunEventType]
    assert (TraceLevel.WARN.value, ToolSource.REGISTRY_LOCAL.value) == ("warn", "registry_local")


def test_no_type_runs_python_code_when_it_is_made_unless_its_schema_asks() -> None:
    """Constructing and decoding stay in C, except where `anyOf` or `oneOf` has to be checked."""
    models = [item for item in vars(types).values() if inspect.isclass(item) and issubclass(item, Model)]
    checked = {model.__name__ for model in models if "__post_init__" in vars(model)}
    assert checked == {"ToolInvocationRequest", "RunBatchItem"}


def test_msgspec_is_all_that_it_needs() -> None:
    """Importing the types brings in msgspec and the standard library, and nothing else.

    msgspec takes typing_extensions where it is installed, so it is hidden here.
    """
    code = (
        "import sys; sys.modules['typing_extensions'] = None; before = set(sys.modules)\n"
        "import arp_model; print(*(set(sys.modules) - before))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = ran.stdout.split()
    foreign = {name.split(".")[0] for name in loaded} - set(sys.stdlib_module_names)
    assert foreign == {"arp_model", "msgspec"}


def test_what_a_run_works_on_can_be_given_by_either_name() -> None:
    """`input` is the wire's word, `input_` that of the published SDK; to give both is an error."""
    asked = RunRequestInput("hello")
    by_wire_name: dict[str, Any] = {"input": asked, "run_id": "r1"}
    assert RunRequest(**by_wire_name) == RunRequest(input_=asked, run_id="r1") == RunRequest(asked, run_id="r1")
    with pytest.raises(TypeError, match="not both"):
        RunRequest(input_=asked, **by_wire_name)
