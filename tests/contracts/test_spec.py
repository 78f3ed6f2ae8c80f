"""The contract itself: that it says what it is known to say, and is fit to be read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from contracts.spec import EXAMPLES, OPENAPI, SCHEMAS, SPEC, api, example, schema, schema_of_example, validator
from contracts.tree import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTRACT = ROOT / "tools" / "codegen" / "python" / "contract.py"
BASE = "https://agent-runtime-protocol.dev/spec/v1/schemas/"
METHODS = {"get", "put", "post", "delete", "patch"}
ADDITIONS = {
    ("runtime", "create_runs"),
    ("runtime", "stream_events"),
    ("runtime", "get_run_trace"),
    ("daemon", "cancel_run"),
    ("daemon", "drain_instance"),
    ("daemon", "get_instance_logs"),
    ("daemon", "restart_runtime_profile"),
    ("daemon", "stream_run_events"),
    ("daemon", "submit_runs"),
    ("daemon", "cancel_runs"),
}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Every operation of every service: the service, the path, what it says."""
    return [
        (service, path, {"parameters": item.get("parameters", []), **item[method]})
        for service in OPENAPI
        for path, item in api(service)["paths"].items()
        for method in sorted(METHODS & set(item))
    ]


def inner_schemas(node: Any) -> Iterator[dict[str, Any]]:
    """The schema, and the schemas of its properties and items."""
    yield node
    for inner in [*node.get("properties", {}).values(), *([node["items"]] if "items" in node else [])]:
        yield from inner_schemas(inner)


def test_the_meaning_of_the_contract_is_what_it_is_known_to_be() -> None:
    """No file of the contract came to mean something else: contract.json has the hash of each meaning."""
    ran = subprocess.run([sys.executable, CONTRACT], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == ("42 files, 0 with another meaning\n", 0)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("schemas/runtime/runs/run_request.schema.json", '"required": [\n        "goal"\n      ],\n', ""),
        ("schemas/common/pagination.schema.json", '"maximum": 1000', '"maximum": 1001'),
        ("schemas/common/status.schema.json", '"degraded"', '"limping"'),
        ("openapi/daemon.openapi.yaml", "operationId: submit_run", "operationId: submit"),
        ("openapi/daemon.openapi.yaml", "'202'", "'200'"),
        ("openapi/runtime.openapi.yaml", "#/components/schemas/RunRequest", "#/components/schemas/RunResult"),
    ],
)
def test_a_change_of_meaning_is_noticed(tmp_path: Path, file: str, old: str, new: str) -> None:
    """A contract that asks for more, or for less, no longer has the known hash, and the file is named."""
    ran = check_changed_copy(tmp_path, file, old, new)
    assert ran.returncode == 1
    assert file in ran.stdout.splitlines()


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("schemas/common/status.schema.json", "How well", "How badly"),
        ("schemas/common/status.schema.json", '"ok",\n    "degraded"', '"degraded",\n    "ok"'),
        ("openapi/daemon.openapi.yaml", "summary: Submit a run", "summary: Hand in a run"),
        ("openapi/runtime.openapi.yaml", "operationId: create_runs", "operationId: create_many_runs"),
    ],
)
def test_a_change_of_words_or_of_an_addition_is_none_of_meaning(tmp_path: Path, file: str, old: str, new: str) -> None:
    """Descriptions, the order of things and additions to the standard are not what the hash is about."""
    assert check_changed_copy(tmp_path, file, old, new).returncode == 0


def check_changed_copy(folder: Path, file: str, old: str, new: str) -> subprocess.CompletedProcess[str]:
    """Change one place in a copy of the contract, and compare its meaning with the known one."""
    for path in [*SCHEMAS.values(), *OPENAPI.values()]:
        copy = folder / path.relative_to(SPEC)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")
    command = [sys.executable, str(CONTRACT), "--spec", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_is_a_valid_one_and_knows_its_place(name: str) -> None:
    """A schema keeps to draft 2020-12, and its `$id` ends with its path, so that references work by either."""
    Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema(name)["$id"] == BASE + name


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_and_property_says_what_it_is(name: str) -> None:
    """Each schema has a description, and so does each property in it; scalars and free objects have an example."""
    assert schema(name)["description"]
    for inner in inner_schemas(schema(name)):
        for label, value in inner.get("properties", {}).items():
            assert value.get("description"), label
            scalar = value.get("type") in {"string", "integer"} or value.get("additionalProperties") is True
            assert not scalar or value.get("examples"), label


@pytest.mark.parametrize("name", SCHEMAS)
def test_examples_in_schemas_are_valid(name: str) -> None:
    """What a schema shows as an example is allowed by it."""
    for document in schema(name).get("examples", []):
        validator(name).validate(document)


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_example_is_valid(name: str) -> None:
    """An example document is allowed by its schema."""
    validator(schema_of_example(name)).validate(example(name))


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_schema_has_an_example_document(name: str) -> None:
    """For each schema there is at least one document to look at."""
    assert name in {schema_of_example(known) for known in EXAMPLES}


def test_additions_are_marked_and_nothing_else_is() -> None:
    """The operations beyond the standard are exactly the known ones."""
    marked = {(service, said["operationId"]) for service, _, said in operations() if said.get("x-arp-addition")}
    assert marked == ADDITIONS


def test_schemas_of_additions_are_marked() -> None:
    """The schemas beyond the standard are exactly those of the batch, and of canceling by filter."""
    marked = {name for name in SCHEMAS if schema(name).get("x-arp-addition")}
    batch, cancel = "runtime/runs/run_batch_", "daemon/runs/run_cancel_"
    assert marked == {
        *(f"{batch}{part}.schema.json" for part in ("request", "item", "response")),
        *(f"{cancel}{part}.schema.json" for part in ("request", "response")),
    }


@pytest.mark.parametrize("service", OPENAPI)
def test_components_bear_the_names_of_their_types(service: str) -> None:
    """A component is named by the title of its schema, so that generated code can take it for the type."""
    for name, reference in api(service)["components"]["schemas"].items():
        path = (OPENAPI[service].parent / reference["$ref"]).resolve()
        assert json.loads(path.read_text(encoding="utf-8"))["title"] == name


@pytest.mark.parametrize("service", OPENAPI)
def test_every_reference_leads_somewhere_and_every_component_is_used(service: str) -> None:
    """No reference dangles, and no parameter or answer lies about unused."""
    document = api(service)
    references = set(find_references(document))
    for reference in references:
        if reference.startswith("#/"):
            node: Any = document
            for part in reference.split("/")[1:]:
                node = node[part]
        else:
            assert (OPENAPI[service].parent / reference).is_file()
    for kind in ("parameters", "responses"):
        assert {f"#/components/{kind}/{name}" for name in document["components"][kind]} <= references


def find_references(node: Any) -> Iterator[str]:
    """Every `$ref` below a node."""
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from find_references(value)
    elif isinstance(node, list):
        for value in node:
            yield from find_references(value)


@pytest.mark.parametrize(("service", "path", "said"), operations(), ids=lambda value: str(value)[:40])
def test_every_operation_says_what_it_does_and_how_it_fails(service: str, path: str, said: dict[str, Any]) -> None:
    """Each operation has a summary, a description, and answers for the ways in which it can fail."""
    assert said["summary"]
    assert said["description"]
    expected = {"default"}
    if said.get("security") != []:
        expected |= {"401", "403"}
    if "{" in path and said["operationId"] != "upsert_runtime_profile":
        expected |= {"404"}
    if "requestBody" in said:
        expected |= {"400", "413", "415"}
    assert expected <= set(said["responses"])


def test_health_and_version_are_open_and_all_else_is_not() -> None:
    """Whoever watches a service needs no token; whoever uses it may."""
    free = {(service, said["operationId"]) for service, _, said in operations() if said.get("security") == []}
    assert free == {(service, name) for service in OPENAPI for name in ("health", "version")}
