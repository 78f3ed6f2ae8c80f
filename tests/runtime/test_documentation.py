"""docs/runtime.md tells the truth."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import httpx

import arp_runtime.errors
from arp_runtime.errors import AgentError
from arp_service.errors import ServiceError
from runtime.streams import execute
from support.runtime import running_runtime

_DOCUMENT = (Path(__file__).parents[2] / "docs" / "runtime.md").read_text(encoding="utf-8")
_FIRST_CELLS = [line.split("|")[1] for line in _DOCUMENT.splitlines() if line.startswith("| `")]
_TABLED_CODES = set(re.findall(r"`([a-z_]+)`", " ".join(_FIRST_CELLS)))
# Of services with lists and stores; `conflict` and `unavailable` are only bases of others.
_NOT_OF_THE_RUNTIME = {"invalid_page_token", "conflict", "unavailable", "store_unavailable"}


def _service_codes(error: type[ServiceError]) -> set[str]:
    own = {error.code} if error.__module__.startswith("arp_service") else set()
    return own.union(*map(_service_codes, error.__subclasses__()))


async def test_the_agent_of_the_document_works(tmp_path: Path) -> None:
    """As it stands there, served as it says."""
    (source,) = re.findall(r"^```python\n(.*?)^```", _DOCUMENT, re.DOTALL | re.MULTILINE)
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


def test_every_code_of_an_answer_is_in_the_document() -> None:
    """A client can look up what it may meet."""
    assert _service_codes(ServiceError) - _NOT_OF_THE_RUNTIME - _TABLED_CODES == set()


def test_every_code_of_a_result_is_in_the_document() -> None:
    """As the docstring of the errors lists them."""
    tree = arp_runtime.errors.__doc__ or ""
    listed = set(re.findall(r"Error  +([a-z]+_[a-z_]+|canceled|interrupted)  ", tree))
    assert "limit_exceeded" in listed
    assert listed <= _TABLED_CODES


def test_the_errors_module_lists_all_its_errors() -> None:
    """The tree at its top is whole."""
    text = arp_runtime.errors.__doc__ or ""
    classes = inspect.getmembers(arp_runtime.errors, inspect.isclass)
    assert [name for name, class_ in classes if issubclass(class_, AgentError) and name not in text] == []
