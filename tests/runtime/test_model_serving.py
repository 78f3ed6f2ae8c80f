"""`arp-runtime serve --agent model`, told by the environment which model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from runtime.streams import execute
from support.model_server import KEY, fails, running_model, says, wants
from support.runtime import running_runtime

if TYPE_CHECKING:
    from pathlib import Path


async def test_the_environment_names_the_model() -> None:
    """And the key, which neither an event nor the log shows; usage is in the result."""
    script = (wants(("calculator", '{"expression": "6*7"}')), says("It is ", "42."), fails(401, f"Bad key {KEY}"))
    async with running_model(*script) as model:
        env = {
            "ARP_MODEL_BASE_URL": model.url,
            "ARP_MODEL": "small",
            "ARP_MODEL_API_KEY": KEY,
            "ARP_MODEL_SYSTEM_PROMPT": "Be brief.",
        }
        async with (
            running_runtime("--agent", "model", env=env) as runtime,
            httpx.AsyncClient(base_url=runtime.base_url, timeout=10) as client,
        ):
            done = await execute(client, "What is 6*7?")
            refused = await execute(client, "Again.")
        assert done[-1].data["data"]["output"]["answer"] == "It is 42."
        assert done[-1].data["data"]["usage"]["total_tokens"] == 25
        assert refused[-1].data["data"]["error"]["code"] == "model_refused"
        assert model.requests[0]["messages"][0] == {"role": "system", "content": "Be brief."}
        assert model.authorization == [f"Bearer {KEY}"] * 3
        assert KEY not in f"{done}{refused}{runtime.log}"


async def test_without_a_model_it_does_not_start(tmp_path: Path) -> None:
    """And says what to set."""
    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="set ARP_MODEL_BASE_URL and ARP_MODEL")):
        async with running_runtime("--agent", "model", cwd=tmp_path):
            pass
