"""Which paths and methods the standard and our additions have: read from the OpenAPI documents."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import yaml

_OPENAPI = Path(__file__).resolve().parents[1] / "spec" / "v1" / "openapi"
_METHODS = {"get", "put", "post", "delete", "patch"}


class ServedPath(NamedTuple):
    """A path, with its parameters filled in, and its methods in capitals."""

    kind: str
    path: str
    methods: frozenset[str]

    @property
    def other_methods(self) -> list[str]:
        """Those that it does not have."""
        return sorted({method.upper() for method in _METHODS} - self.methods)


def served_paths(kind: str) -> list[ServedPath]:
    """Every path of a `runtime` or a `daemon`."""
    document = yaml.safe_load((_OPENAPI / f"{kind}.openapi.yaml").read_text(encoding="utf-8"))
    return [
        ServedPath(kind, re.sub(r"\{\w+\}", "nothing", path), frozenset(m.upper() for m in item.keys() & _METHODS))
        for path, item in document["paths"].items()
    ]
