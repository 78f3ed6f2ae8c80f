"""What users of the published 0.1.0 know is there, and what is generated is what the OpenAPI documents say."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from importlib.metadata import version
from pathlib import Path
from types import NoneType
from typing import Any, get_args

import pytest

import arp_model
import arp_sdk
from arp_sdk._operation import Operation
from contracts.spec import OPENAPI, api

SERVICES = {"daemon": "Daemon", "runtime": "Runtime", "tool-registry": "ToolRegistry"}
# What arp-standard-py 0.1.0 offers at its facades: facts, told by `inspect` of the installed distribution. Arguments
# in their order: `=` may be left out, after `*` by name alone; a `model` has from_dict and to_dict.
PUBLISHED = json.loads(Path(__file__).with_name("published_names.json").read_text(encoding="utf-8"))
ENUMS = PUBLISHED.pop("enums")
NAMES = [(module, name) for module, names in PUBLISHED.items() for name in names]
CLASSES = [(module, name) for module, name in NAMES if "arguments" in PUBLISHED[module][name]]
MODELS = [(module, name) for module, name in CLASSES if PUBLISHED[module][name].get("model")]
METHODS = [
    (module, name, method, arguments)
    for module, name in CLASSES
    for method, arguments in PUBLISHED[module][name].get("methods", {}).items()
]


def published(module: str, name: str) -> Any:
    """What has the name now."""
    return getattr(importlib.import_module(module), name)


def arguments_of(what: Any) -> list[str]:
    """The arguments of something callable, as PUBLISHED writes them."""
    found = []
    for parameter in inspect.signature(what).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in found:
            found.append("*")
        found.append(parameter.name + ("" if parameter.default is parameter.empty else "="))
    return found


@pytest.mark.parametrize(("module", "name"), NAMES)
def test_published_names_are_where_they_were(module: str, name: str) -> None:
    """Each is in its module, and in its `__all__`."""
    assert published(module, name) is not None
    assert name in importlib.import_module(module).__all__


@pytest.mark.parametrize(("module", "name"), [item for item in CLASSES if item not in MODELS])
def test_things_are_made_as_before(module: str, name: str) -> None:
    """Each class takes what it took, in its order; what came later may be left out."""
    expected = PUBLISHED[module][name]["arguments"].split()
    found = arguments_of(published(module, name))
    assert found[: len(expected)] == expected
    assert all(argument.endswith("=") for argument in found[len(expected) :] if argument != "*")


@pytest.mark.parametrize(("module", "name"), MODELS)
def test_models_take_the_same_fields_by_name(module: str, name: str) -> None:
    """Fields and which of them are needed are the same. Their order is the standard's own, which 0.1.0 sorted."""
    model = published(module, name)
    assert sorted(arguments_of(model)) == sorted(PUBLISHED[module][name]["arguments"].split())
    assert callable(model.from_dict)
    assert callable(model.to_dict)


@pytest.mark.parametrize(("module", "name", "method", "arguments"), METHODS)
def test_methods_are_called_as_before(module: str, name: str, method: str, arguments: str) -> None:
    """Each method takes what it took; new parameters come after, and need not be given."""
    expected = arguments.split()
    found = arguments_of(getattr(published(module, name), method))[1:]
    assert found[: len(expected)] == expected
    assert all(argument.endswith("=") for argument in found[len(expected) :] if argument != "*")


@pytest.mark.parametrize("name", ENUMS)
def test_published_enum_names_are_aliases(name: str) -> None:
    """The words are the same, under the same names, and print as themselves."""
    enum = getattr(arp_sdk.models, name)
    assert {item.name: item.value for item in enum} == ENUMS[name]
    assert [str(item) for item in enum] == [item.value for item in enum]
    assert name in arp_sdk.models.__all__


def test_an_enum_has_one_class_under_all_its_names() -> None:
    """A state is equal to itself, whichever name it was compared by."""
    state = arp_sdk.models.RunStatus.from_dict({"run_id": "r1", "state": "queued"}).state
    assert state is arp_sdk.models.RunStatusState.QUEUED is arp_sdk.models.RunState.QUEUED


@pytest.mark.parametrize("client", SERVICES.values())
def test_a_client_and_its_async_twin_take_the_same(client: str) -> None:
    """Constructors and methods have the same parameters, and the twin's methods are awaited."""
    blocking, awaited = (getattr(arp_sdk, f"{prefix}{client}Client") for prefix in ("", "Async"))
    assert arguments_of(blocking) == arguments_of(awaited)
    for name, method in public(blocking).items():
        if inspect.isfunction(method) and name not in {"close", "run_handle"}:  # the latter asks nobody
            twin = getattr(awaited, name)
            assert inspect.iscoroutinefunction(twin) or inspect.isasyncgenfunction(twin)
            assert arguments_of(twin) == arguments_of(method)


def public(of: type) -> dict[str, Any]:
    """The public members of a class."""
    return {name: item for name, item in inspect.getmembers(of) if not name.startswith("_")}


@pytest.mark.parametrize("client", SERVICES.values())
def test_async_clients_offer_what_the_blocking_ones_do(client: str) -> None:
    """Nothing is there for one kind alone, but the name of closing."""
    blocking, awaited = (public(getattr(arp_sdk, f"{prefix}{client}Client")) for prefix in ("", "Async"))
    assert set(blocking) ^ set(awaited) == {"close", "aclose"}


@pytest.mark.parametrize("module", ["arp_sdk.daemon", "arp_sdk.runtime", "arp_sdk.tool_registry"])
def test_facade_modules_offer_their_types(module: str) -> None:
    """What a facade takes and gives can be imported from beside it, and is the one type of arp_model."""
    facade = importlib.import_module(module)
    shared = set(facade.__all__) & set(arp_model.__all__)
    assert {name for at, name in MODELS if at == module} <= shared
    assert all(getattr(facade, name) is getattr(arp_model, name) for name in shared)
    assert facade.ArpApiError is arp_sdk.ArpApiError


def test_all_models_can_be_imported_from_the_sdk() -> None:
    """`arp_sdk.models` has every type of the wire."""
    inner = {"AwareDatetime", "Model", "WireEnum", "convert_lenient", "decode_lenient"}
    wire = set(arp_model.__all__) - inner
    assert set(arp_sdk.models.__all__) - set(ENUMS) == wire - set(ENUMS)
    assert all(getattr(arp_sdk.models, name) is getattr(arp_model, name) for name in wire)


@pytest.mark.parametrize(
    "module", ["", ".clients", ".daemon", ".errors", ".models", ".runtime", ".testing", ".tool_registry"]
)
def test_all_names_what_is_there(module: str) -> None:
    """`__all__` is true and in order, so that a reader finds a name."""
    loaded = importlib.import_module(f"arp_sdk{module}")
    assert all(hasattr(loaded, name) for name in loaded.__all__)
    assert len(set(loaded.__all__)) == len(loaded.__all__)


def test_the_version_is_that_of_the_distribution() -> None:
    """`__version__` says what is installed."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", arp_sdk.__version__)
    assert arp_sdk.__version__ == version("arp-standard-py")


def described(service: str) -> list[tuple[str, str, dict[str, Any], dict[str, Any]]]:
    """Every operation of an OpenAPI document: method, path, what it says, and the path item around it."""
    return [
        (method.upper(), path, item[method], item)
        for path, item in api(service)["paths"].items()
        for method in ("get", "put", "post", "delete")
        if method in item
    ]


@pytest.mark.parametrize("service", OPENAPI)
def test_generated_operations_are_those_of_the_document(service: str) -> None:
    """Method, path, success, query and types of each operation are what the OpenAPI document says."""
    generated = importlib.import_module(f"arp_sdk.generated.{service.replace('-', '_')}")
    made = {item.name: item for item in vars(generated).values() if isinstance(item, Operation)}
    assert set(made) == {said["operationId"] for _, _, said, _ in described(service)}
    for method, path, said, item in described(service):
        operation = made[said["operationId"]]
        [success] = [code for code in said["responses"] if code.startswith("2")]
        assert (operation.method, operation.path, operation.success) == (method, path, int(success))
        content = said["responses"][success].get("content", {})
        assert type_name(operation.response) == content_type(content)
        body = said.get("requestBody", {}).get("content", {})
        assert type_name(operation.body or NoneType) == content_type(body)
        parameters = [resolve(service, p) for p in [*item.get("parameters", []), *said.get("parameters", [])]]
        assert list(operation.query) == [p["name"] for p in parameters if p["in"] == "query"]
        headers = [p["name"] for p in parameters if p["in"] == "header" and p["name"] != "Last-Event-ID"]
        assert [header for _, header in operation.headers] == headers


def resolve(service: str, node: dict[str, Any]) -> dict[str, Any]:
    """A parameter, where it is written or where its reference leads."""
    found: dict[str, Any] = node
    if "$ref" in node:
        found = api(service)["components"]["parameters"][node["$ref"].rpartition("/")[2]]
    return found


def type_name(type_: Any) -> str:
    """The name of a type, as `content_type` has it."""
    return f"list[{get_args(type_)[0].__name__}]" if get_args(type_) else str(type_.__name__)


def content_type(content: dict[str, Any]) -> str:
    """The name of the type that a content stands for."""
    if not content:
        return "NoneType"
    if content.keys() & {"text/event-stream", "text/plain"}:
        return "str"
    schema = content["application/json"]["schema"]
    if "items" in schema:
        return f"list[{schema['items']['$ref'].rpartition('/')[2]}]"
    return str(schema["$ref"].rpartition("/")[2])
