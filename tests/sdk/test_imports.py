"""What importing the SDK costs: figures are the benchmarks' business, what makes them is checked here."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from arp_sdk import AsyncDaemonClient
from sdk.service import Service, running

if TYPE_CHECKING:
    import pytest

# Each takes milliseconds, and is not needed before a client does something that needs it.
HEAVY = {"anyio", "asyncio", "dataclasses", "httpcore", "importlib.metadata", "platformdirs"}
PROGRAM = """
import json, sys
import httpx
before = set(sys.modules)
import arp_sdk
print(json.dumps(sorted(set(sys.modules) - before)))
"""


def test_importing_the_sdk_imports_little_beside_httpx() -> None:
    """Its own modules, msgspec and a few of the standard library."""
    printed = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    imported = set(json.loads(printed.stdout))
    assert "arp_sdk.daemon" in imported
    assert imported & HEAVY == set()
    foreign = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names
    assert foreign <= {"arp_model", "arp_sdk", "msgspec", "typing_extensions"}


async def test_a_call_of_an_async_client_looks_for_no_module(monkeypatch: pytest.MonkeyPatch) -> None:
    """What httpx asks for at each call is installed: to search for it in vain would be a third of a call's time."""
    sought = []

    class Watch:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> None:
            sought.append(name)

    with running(Service()) as service:
        service.answer("GET", "/v1/health", {"status": "ok", "time": "2025-06-01T12:00:00Z"})
        async with AsyncDaemonClient(service.url) as client:
            await client.health()
            monkeypatch.setattr(sys, "meta_path", [Watch, *sys.meta_path])
            await client.health()
    assert sought == []
