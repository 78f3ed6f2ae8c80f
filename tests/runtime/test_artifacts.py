"""What a run makes beside its output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
import anyio.lowlevel
import pytest

from arp_model import RunEvent, RunEventType
from arp_runtime.agents.artifacts import ArtifactFolder
from arp_runtime.errors import AgentError
from arp_runtime.runs.large_output import MAX_OUTPUT_BYTES
from arp_runtime.runs.restoring import interrupted
from arp_service.info import utc_now
from runtime.scene import ended, events_of, managed, request, story

if TYPE_CHECKING:
    from arp_runtime import AgentContext, SyncAgentContext


def _file(uri: str) -> Path:
    assert uri.startswith("file:///")
    return Path(urlsplit(uri).path)


async def test_an_artifact_is_a_file_that_the_result_names() -> None:
    """The last one of a name counts; one that is elsewhere is named as well."""

    async def agent(context: AgentContext) -> None:
        await context.artifact("report.md", "draft")
        await context.artifact("report.md", "# Done")
        await context.artifact("raw", b"\x00\xff")
        await context.artifact("map", uri="https://maps.example/1")

    async with managed(agent) as runs:
        run = runs.create(request())
        artifacts = {ref.id: ref for ref in (await ended(runs, run.run_id)).result.artifacts or []}
        assert list(artifacts) == ["report.md", "raw", "map"]
        report = _file(str(artifacts["report.md"].uri))
        assert report.read_text() == "# Done"
        assert _file(str(artifacts["raw"].uri)).read_bytes() == b"\x00\xff"
        assert artifacts["map"].uri == "https://maps.example/1"
        assert {ref.type_ for ref in artifacts.values()} == {"artifact"}
        assert sorted(path.name for path in report.parent.iterdir()) == ["raw", "report.md"]


async def test_a_plain_function_makes_artifacts_too() -> None:
    """And those of a run that fails are in its result as well."""

    def agent(context: SyncAgentContext) -> None:
        context.artifact("a.txt", "x")
        raise ValueError("after that")

    told = await story(agent)
    assert told.code == "agent_error"
    assert [ref.id for ref in told.result.artifacts or []] == ["a.txt"]


@pytest.mark.parametrize("name", ["", "..", "a/b", "../up", ".hidden", "a\0b", "x" * 200])
async def test_a_name_never_becomes_a_path(name: str) -> None:
    """It is refused, with or without content."""

    async def write(context: AgentContext) -> None:
        await context.artifact(name, "x")

    async def point(context: AgentContext) -> None:
        await context.artifact(name, uri="https://maps.example/1")

    assert (await story(write)).code == "invalid_artifact"
    assert (await story(point)).code == "invalid_artifact"


def test_an_artifact_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    """The error says which, and why."""
    (tmp_path / "r1" / "a.txt").mkdir(parents=True)
    with pytest.raises(Exception, match=r"'a\.txt' cannot be written"):
        ArtifactFolder(tmp_path).write("r1", "a.txt", "x")
    assert [path.name for path in (tmp_path / "r1").iterdir()] == ["a.txt"]
    (tmp_path / "r2").touch()
    with pytest.raises(Exception, match=r"'a\.txt' cannot be written"):
        ArtifactFolder(tmp_path).write("r2", "a.txt", "x")


async def test_a_large_output_becomes_an_artifact() -> None:
    """The result stays small, and names it."""

    async def agent(context: AgentContext) -> dict[str, Any]:
        return {"answer": "x" * int(context.goal)}

    async with managed(agent) as runs:
        run = runs.create(request(str(MAX_OUTPUT_BYTES)))
        told = await ended(runs, run.run_id)
        [ref] = told.result.artifacts or []
        written = _file(str(ref.uri)).read_bytes()
        assert told.result.output == {"artifact": "output.json", "bytes": len(written)}
        assert json.loads(written) == {"answer": "x" * MAX_OUTPUT_BYTES}
    told = await story(agent, "1000")
    assert told.result.output == {"answer": "x" * 1000}


async def test_what_a_failed_run_had_said_becomes_an_artifact_where_it_is_large() -> None:
    """The same for a run that fails, is canceled, or is ended without its agent: the result says that it is partial."""

    async def agent(context: AgentContext) -> None:
        await context.emit_token("x" * MAX_OUTPUT_BYTES)
        if context.goal == "fail":
            raise AgentError("enough", "It had enough.")
        with anyio.CancelScope(shield=context.goal == "resist"):
            await released.wait()

    released = anyio.Event()
    async with managed(agent, cancel_grace_s=0.05) as runs:
        for goal, code in (("fail", "enough"), ("wait", "canceled"), ("resist", "canceled")):
            run = runs.create(request(goal, run_id=goal))
            while not (await events_of(run.log)):
                await anyio.lowlevel.checkpoint()
            if goal != "fail":
                await runs.cancel(goal)
            told = await ended(runs, goal)
            [ref] = told.result.artifacts or []
            written = _file(str(ref.uri)).read_bytes()
            assert told.code == code
            assert told.result.output == {"artifact": "output.json", "bytes": len(written), "partial": True}
            assert json.loads(written) == {"answer": "x" * MAX_OUTPUT_BYTES, "partial": True}
        released.set()


async def test_a_run_ends_although_what_it_had_said_cannot_be_written(tmp_path: Path) -> None:
    """With its error and no output; its events have what it said."""
    (tmp_path / "r1").touch()

    async def agent(context: AgentContext) -> None:
        await context.emit_token("x" * MAX_OUTPUT_BYTES)
        context.folder = ArtifactFolder(tmp_path)
        raise AgentError("enough", "It had enough.")

    told = await story(agent, run_id="r1")
    assert (told.code, bool(told.result.output)) == ("enough", False)
    assert len(told.data_of("token")[0]["text"]) == MAX_OUTPUT_BYTES


async def test_what_an_interrupted_run_had_said_becomes_an_artifact_where_it_is_large(tmp_path: Path) -> None:
    """The next process writes it."""
    texts = ["x" * MAX_OUTPUT_BYTES, "y"]
    events = [
        RunEvent(run_id="r1", seq=seq, type_=RunEventType.TOKEN, time=utc_now(), data={"text": text}).to_json()
        for seq, text in enumerate(texts)
    ]
    outcome = await interrupted("r1", events, ArtifactFolder(tmp_path))
    [ref] = outcome.artifacts
    written = _file(str(ref.uri)).read_bytes()
    assert outcome.output == {"artifact": "output.json", "bytes": len(written), "partial": True}
    assert json.loads(written) == {"answer": "".join(texts), "partial": True}
