"""docs/runtime.md tells the truth."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import httpx

import arp_runtime.errors
from arp_runtime.errors import AgentError
from runtime.streams import execute
from support.runtime import running_runtime

_DOCUMENT = (Path(__file__).parents[2] / "docs" / "runtime.md").read_text(encoding="utf-8")


async def test_the_agent_of_the_document_works(tmp_path: Path) -> None:
    """As it stands there, served as it says."""
    (source,) = re.findall(r"Write `my_agents.py`:\n\n```python\n(.*?)^```", _DOCUMENT, re.DOTALL | re.MULTILINE)
    (tmp_path / "my_agents.py").write_text(source)
    async with (
        running_runtime("--agent", "my_agents:greet", cwd=tmp_path) as runtime,
        httpx.AsyncClient(base_url=runtime.base_url, timeout=10) as client,
    ):
        greeting = {"goal": "Ada", "data": {"time_zone": "Tokyo"}}
        output = (await execute(client, "", input=greeting))[-1].data["data"]["output"]
        assert output["answer"] == "Hello, Ada!"
        assert output["at"].endswith("+09:00")
        assert (await execute(client, ""))[-1].data["data"]["error"]["code"] == "no_name"


def test_the_errors_module_lists_all_its_errors() -> None:
    """The tree at its top is whole."""
    text = arp_runtime.errors.__doc__ or ""
    classes = inspect.getmembers(arp_runtime.errors, inspect.isclass)
    assert [name for name, class_ in classes if issubclass(class_, AgentError) and name not in text] == []
