"""What instances say: kept, bounded, and readable while they live and after."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import anyio
import pytest

from arp_daemon.launcher import LaunchSpec
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


async def test_a_flood_starves_neither_the_launcher_nor_other_instances(tmp_path: Path) -> None:
    """Issue 3: while two instances write as much as they can, others are launched, heard and stopped."""
    async with running_launcher(tmp_path) as launcher:
        for name in ("flood-1", "flood-2"):
            await launcher.launch(spec(name, "flood", str(10**9), listen=None))
        for number in range(5):
            launched = await launcher.launch(spec(f"i{number}", "say", "hello", env={"PYTHONUNBUFFERED": "1"}))
            await ask(launched)
            assert await launcher.tail(f"i{number}", "stdout", 1) == "hello\n"
            with anyio.fail_after(SOON):
                await launcher.stop(f"i{number}")
        assert "line" in await launcher.tail("flood-1", "stdout", 1)
        with anyio.fail_after(SOON):
            await launcher.stop("flood-1")
            await launcher.stop("flood-2")
    sizes = [path.stat().st_size for name in ("flood-1", "flood-2") for path in (tmp_path / "logs" / name).iterdir()]
    assert max(sizes) <= _MIB
    assert sum(sizes) <= 4 * _MIB


async def test_a_follower_hears_what_comes_and_then_the_end(tmp_path: Path) -> None:
    """Issue 3: new output is waited for, not polled, until the instance ends; what ended is read as it was."""
    async with running_launcher(tmp_path) as launcher:
        script = "trap 'echo three; exit' USR1; echo one; echo two; sleep 1000 & wait"
        await launcher.launch(LaunchSpec(instance_id="i1", argv=["/bin/sh", "-c", script], env={"PATH": "/bin"}))
        said, position = b"", 0
        with anyio.fail_after(SOON):
            while not said.endswith(b"two\n"):
                piece = await launcher.read_log("i1", "stdout", position=position, wait_s=SOON)
                said, position = said + piece.data, piece.position
            assert (said, piece.ended, piece.end) == (b"one\ntwo\n", False, len(said))
            silent = await launcher.read_log("i1", "stdout", position=position)
            assert (silent.data, silent.position, silent.ended) == (b"", position, False)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(launcher.signal, "i1", signal.SIGUSR1)
                piece = await launcher.read_log("i1", "stdout", position=position, wait_s=SOON)
            assert piece.data
            said, position = said + piece.data, piece.position
            while not piece.ended:
                piece = await launcher.read_log("i1", "stdout", position=position, wait_s=SOON)
                said, position = said + piece.data, piece.position
            assert said == b"one\ntwo\nthree\n"
        last = await launcher.read_log("i1", "stdout", lines=2)
        assert (last.data, last.ended) == (b"two\nthree\n", True)


async def test_a_follower_that_falls_behind_is_told_what_it_missed(tmp_path: Path) -> None:
    """What rotation removed is counted, so that nobody takes a gap for the whole."""
    async with running_launcher(tmp_path) as launcher:
        await launcher.launch(spec("i1", "flood", "50000", listen=None))
        with anyio.fail_after(SOON):
            await anext(launcher.exits())
        piece = await launcher.read_log("i1", "stdout", position=0)
    kept = sum(path.stat().st_size for path in (tmp_path / "logs" / "i1").glob("stdout*"))
    assert piece.lost == piece.end - kept > 0
    assert piece.position == piece.lost + len(piece.data)


async def test_secrets_are_hidden_before_they_are_written(tmp_path: Path) -> None:
    """Promise: env_from values appear in no log: not on the disk, not in tails, not in the report of an exit."""
    secret = "correct horse battery staple"
    script = 'printf "a %.8s" "$KEY"; printf "%s b\n" "${KEY#????????}"; echo "$KEY" >&2; echo "$OTHER" >&2'
    launch = LaunchSpec(
        instance_id="i1",
        argv=["/bin/sh", "-c", script],
        env={"PATH": "/bin", "KEY": secret, "OTHER": "not hidden"},
        secrets=["KEY", "NO_SUCH"],
    )
    async with running_launcher(tmp_path) as launcher:
        await launcher.launch(launch)
        with anyio.fail_after(SOON):
            exited = await anext(launcher.exits())
        assert exited.stderr_tail == "****\nnot hidden\n"
        assert await launcher.tail("i1", "stdout", 1) == "a **** b\n"
    assert (tmp_path / "logs" / "i1" / "stdout.log").read_bytes() == b"a **** b\n"
    assert secret.encode() not in b"".join(path.read_bytes() for path in (tmp_path / "logs").rglob("*.log"))


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
        piece = await successor.read_log("i1", "stderr", lines=5, wait_s=SOON)
        assert (piece.data, piece.ended) == (b"last words\n", True)
