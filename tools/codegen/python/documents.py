"""Makes the OpenAPI documents that the services serve: spec/v1's, with what they refer to inside.

A document in spec/v1 refers to the schemas beside it. Whoever is handed one alone, over HTTP, needs all of it: each
schema becomes a component under its title, and every reference leads into the document itself.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from pathlib import Path

Node = dict[str, Any]

# Of a schema that is part of a document: its address, which references would be resolved against, and its dialect.
_OWN_FILE = {"$id", "$schema"}


class DocumentError(Exception):
    """A document refers to something that has no place in it."""


def served_document(path: Path) -> str:
    """Return the text of the document in this file, made to stand alone, as JSON."""
    document: Node = yaml.safe_load(path.read_text(encoding="utf-8"))
    components = _Components()
    for name, reference in document["components"]["schemas"].items():
        if components.add((path.parent / reference["$ref"]).resolve()) != name:
            raise DocumentError(f"{path.name}: the component {name} is not named by the title of its schema")
    document["components"]["schemas"] = dict(sorted(components.schemas.items()))
    return json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n"


class _Components:
    """The schemas of a document, by title. Each file is read once."""

    def __init__(self) -> None:
        self.schemas: dict[str, Node] = {}
        self._titles: dict[Path, str] = {}

    def add(self, file: Path) -> str:
        """Take in the schema of a file, and those that it refers to; return its title."""
        if file in self._titles:
            return self._titles[file]
        schema: Node = json.loads(file.read_text(encoding="utf-8"))
        if set(schema) <= {*_OWN_FILE, "description", "$ref"}:  # another name of the same schema
            self._titles[file] = self.add((file.parent / schema["$ref"]).resolve())
            return self._titles[file]
        title: str = schema["title"]
        if title in self.schemas:
            raise DocumentError(f"{file.name}: the title {title!r} is taken")
        self._titles[file] = title
        self.schemas[title] = {}
        self.schemas[title] = self._inside(
            {key: value for key, value in schema.items() if key not in _OWN_FILE}, file.parent
        )
        return title

    def _inside(self, node: Any, folder: Path) -> Any:
        """The same with references that lead into the document. Examples hold none."""
        if isinstance(node, list):
            return [self._inside(item, folder) for item in node]
        if not isinstance(node, dict):
            return node
        return {
            key: f"#/components/schemas/{self.add((folder / value).resolve())}"
            if key == "$ref"
            else self._inside(value, folder)
            for key, value in node.items()
        }
