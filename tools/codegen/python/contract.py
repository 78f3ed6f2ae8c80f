"""Says what each file of the contract means, as one hash a file.

`python3 tools/codegen/python/contract.py` compares spec/v1 with spec/v1/contract.json and prints what differs;
`--write` takes the present meaning as the new one. Meaning is what decides whether a document or a call is
allowed: titles, descriptions, examples, defaults and the order of things do not count, references are followed,
and additions to the standard (`x-arp-addition`) are left out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml

_SPEC = Path(__file__).resolve().parents[3] / "spec" / "v1"
_ADDITION = "x-arp-addition"

# Keywords that say nothing about which documents are allowed.
_SILENT = {"title", "description", "default", "examples", "example", "deprecated", "$id", "$schema", "$comment"}
# Keywords whose value maps names of the writer's choice to schemas.
_NAMED = {"properties", "patternProperties"}
# Keywords whose value is a schema, or a list of them.
_NESTED = {"items", "additionalProperties", "propertyNames", "not", "anyOf", "oneOf", "allOf"}


def contract(spec: Path) -> dict[str, str]:
    """Return the hash of each contract file's meaning, by its path below `spec`."""
    hashes = {}
    for path in sorted([*spec.rglob("*.schema.json"), *spec.rglob("*.openapi.yaml")]):
        document = _load(path)
        if document.get(_ADDITION):
            continue
        meaning = api_meaning(document, path) if "paths" in document else schema_meaning(document, document, path)
        text = json.dumps(meaning, sort_keys=True, ensure_ascii=False)
        hashes[path.relative_to(spec).as_posix()] = hashlib.sha256(text.encode()).hexdigest()
    return hashes


def schema_meaning(node: Any, document: Any, path: Path) -> Any:
    """Return the schema with nothing in it but what decides which documents are allowed."""
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target, target_document, target_path = _follow(node["$ref"], document, path)
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return {
            **schema_meaning(target, target_document, target_path),
            **schema_meaning(beside, document, path),
        }
    meaning = {}
    for key, value in node.items():
        if key in _SILENT or key.startswith("x-"):
            continue
        said = _keyword(key, value, document, path)
        if not (key == "additionalProperties" and said in (True, {})) and not (key in _NAMED and not said):
            meaning[key] = said
    return meaning


def _keyword(key: str, value: Any, document: Any, path: Path) -> Any:
    if key in _NAMED:
        return {name: schema_meaning(schema, document, path) for name, schema in value.items()}
    if key in _NESTED and isinstance(value, list):
        return _unordered([schema_meaning(schema, document, path) for schema in value])
    if key in _NESTED:
        return schema_meaning(value, document, path)
    return _unordered(value) if isinstance(value, list) else value


def api_meaning(document: Any, path: Path) -> dict[str, Any]:
    """Return what the API's operations take and give, without their errors and without additions."""
    operations = {}
    for route, item in document["paths"].items():
        for method in ("get", "put", "post", "delete", "patch"):
            operation = item.get(method)
            if operation is None or operation.get(_ADDITION):
                continue
            parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
            operations[f"{method.upper()} {route}"] = {
                "operationId": operation["operationId"],
                "parameters": _parameters(parameters, document, path),
                "body": _content(operation.get("requestBody", {}), document, path),
                "success": _success(operation["responses"], document, path),
                "open": operation.get("security", document.get("security")) == [],
            }
    return operations


def _parameters(nodes: list[Any], document: Any, path: Path) -> dict[str, Any]:
    found = {}
    for node in nodes:
        parameter = _follow(node["$ref"], document, path)[0] if "$ref" in node else node
        if not parameter.get(_ADDITION):
            schema = schema_meaning(parameter["schema"], document, path)
            found[f"{parameter['in']}:{parameter['name']}"] = [bool(parameter.get("required")), schema]
    return found


def _success(responses: dict[str, Any], document: Any, path: Path) -> dict[str, Any]:
    return {
        str(code): _content(response, document, path)
        for code, response in responses.items()
        if str(code).startswith("2")
    }


def _content(node: dict[str, Any], document: Any, path: Path) -> dict[str, Any]:
    return {
        media_type: schema_meaning(content["schema"], document, path)
        for media_type, content in node.get("content", {}).items()
        if not content.get(_ADDITION)
    }


def _follow(reference: str, document: Any, path: Path) -> tuple[Any, Any, Path]:
    """Return what a reference points at, the document that it stands in, and that document's path."""
    file, _, pointer = reference.partition("#")
    if file:
        path = (path.parent / file).resolve()
        document = _load(path)
    node = document
    for part in pointer.split("/")[1:]:
        node = node[part]
    return node, document, path


def _load(path: Path) -> Any:
    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def _unordered(values: list[Any]) -> list[Any]:
    return sorted(values, key=lambda value: json.dumps(value, sort_keys=True))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line. Returns the exit status: 1 where a meaning has changed."""
    parser = argparse.ArgumentParser(description="Compare the meaning of spec/v1 with what it is known to be.")
    parser.add_argument("--spec", type=Path, default=_SPEC, help="the folder with schemas/ and openapi/")
    parser.add_argument("--write", action="store_true", help="take the present meaning as the new one")
    options = parser.parse_args(arguments)
    present, pinned = contract(options.spec), _SPEC / "contract.json"
    if options.write:
        pinned.write_text(json.dumps(present, indent=2) + "\n", encoding="utf-8")
    known = json.loads(pinned.read_text(encoding="utf-8"))
    changed = sorted(name for name in {*present, *known} if present.get(name) != known.get(name))
    print("\n".join([*changed, f"{len(known)} files, {len(changed)} with another meaning"]))
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
