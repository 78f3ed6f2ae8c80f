"""What importing the SDK costs: figures are the benchmarks' business, what makes them is checked here."""

from __future__ import annotations

import json
import subprocess
import sys

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
