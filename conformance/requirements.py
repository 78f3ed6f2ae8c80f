"""The requirements that the suite checks, as data: `requirements.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import yaml

_FILE = Path(__file__).with_name("requirements.yaml")
# Whose requirement it is: every ARP v1 service must meet the standard's; ours are the promises that go beyond.
ORIGINS = ("standard", "ours")


class Requirement(NamedTuple):
    """One thing that a service must do."""

    id: str
    origin: str
    services: tuple[str, ...]
    source: str
    text: str


def load_requirements() -> list[Requirement]:
    """Read all of them, in the order of the file."""
    document = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return [
        Requirement(entry["id"], origin, tuple(entry["services"]), entry["source"], entry["text"])
        for origin in ORIGINS
        for entry in document[origin]
    ]
