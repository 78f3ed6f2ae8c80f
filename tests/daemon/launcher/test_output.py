"""What instances say: kept, bounded, and readable while they live and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from daemon.launcher.scene import SOON, WAYS, Way, ask, running_launcher, spec

if TYPE_CHECKING:
    from pathlib import Path

_MIB = 1024 * 1024


@pytest.mark.parametrize("way", WAYS)
async def test_output_can_be_read_while_an_instance_lives_and_after(tmp_path: Path, way: Way) -> None:
    """Issue 3: stdout and stderr of each instance are readable while it runs and after its end."""
    async with running_launcher(tmp_path) as launcher:
        # What an executed program keeps in its own buffer, no launcher can see; a template's fork does not.
        env = {"PYTHONUNBUFFERED": "1"}
        launched = await launcher.launch(spec("i1", "say", "one\ntwo\nthree", way=way, env=env))
        await ask(launched)
        assert await launcher.tail("i1", "stdout", 2) == "two\nthree\n"
        await launcher.stop("i1")
        assert await launcher.tail("i1", "stdout", 2) == "two\nthree\n"
        assert await launcher.tail("i1", "stdout", 0) == ""
        assert await launcher.tail("i1", "stderr", 9) == ""


@pytest.mark.parametrize("way", WAYS)
async def test_an_exit_carries_the_last_words(tmp_path: Path, way: Way) -> None:
    """Issue 3: a failed start says why, with the tail of stderr."""
    async with running_launcher(tmp_path) as launcher:
        await launcher.launch(spec("i1", "fail", "9", "no agent here", way=way, listen=None))
        with anyio.fail_after(SOON):
            exited = await anext(launcher.exits())
    assert (exited.exit_code, exited.signal, exited.stderr_tail) == (9, None, "no agent here\n")


async def test_a_flood_of_output_is_bounded_on_disk_and_ends_with_its_last_line(tmp_path: Path) -> None:
    """Issue 3: a log flood fills no disk; the newest lines are the ones that are kept."""
    async with running_launcher(tmp_path) as launcher:
        await launcher.launch(spec("i1", "flood", "50000", listen=None))
        with anyio.fail_after(SOON):
            await anext(launcher.exits())
        tail = await launcher.tail("i1", "stdout", 1_000_000)
    sizes = [path.stat().st_size for path in (tmp_path / "logs" / "i1").iterdir()]
    assert max(sizes) <= _MIB
    assert sum(sizes) <= 2 * _MIB
    first, *_, last = [int(line.split()[1]) for line in tail.splitlines()[1:]]
    assert last == 49999
    assert last - first > 1000


async def test_output_after_a_full_disk_is_dropped_and_nothing_else_happens(tmp_path: Path) -> None:
    """A log that cannot be written must not stop an instance, or the launcher."""
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "say", "hello", env={"PYTHONUNBUFFERED": "1"}))
        folder = tmp_path / "logs" / "i1"
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        await ask(launched)
        with anyio.fail_after(SOON):
            await launcher.stop("i1")
        assert len(await launcher.list()) == 1


async def test_logs_outlive_the_launcher(tmp_path: Path) -> None:
    """What an instance said before everything died is still there to be read."""
    async with running_launcher(tmp_path) as launcher:
        await launcher.launch(spec("i1", "fail", "1", "last words", listen=None))
        with anyio.fail_after(SOON):
            await anext(launcher.exits())
    async with running_launcher(tmp_path) as successor:
        assert await successor.tail("i1", "stderr", 5) == "last words\n"
