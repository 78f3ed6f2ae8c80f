"""The generated types by the names of their schemas, and what is done with a document of one."""

from __future__ import annotations

import json
from typing import Any

import arp_model
from arp_model import Model
from arp_model._base import convert, decode
from contracts.spec import resolved


def type_of(name: str) -> Any:
    """The generated type of a schema."""
    return getattr(arp_model, resolved(name)["title"])


def from_json(name: str, text: str) -> Any:
    """A document's value, from JSON text; enums and maps have no method of their own for it."""
    made = type_of(name)
    return made.from_json(text) if _is_model(made) else decode(text, made)


def from_plain(name: str, document: Any) -> Any:
    """A document's value, from plain dicts, lists and scalars."""
    made = type_of(name)
    return made.from_dict(document) if _is_model(made) else convert(document, made)


def canonical(document: Any) -> str:
    """One text for equal documents: 1, 1.0 and true differ in it, as they do on the wire."""
    return json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _is_model(made: Any) -> bool:
    return isinstance(made, type) and issubclass(made, Model)
