"""Instances at Unix sockets: a path that is short, the user's alone, and gone with its instance."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
from pathlib import Path

import anyio
import anyio.abc
import pytest

from arp_daemon.launcher import InvalidSpecError, Launched, LauncherClient, LaunchFailedError
from daemon.launcher.scene import SOON, WAYS, Way, connect, running_launcher, spec, until_dead


async def _launch(launcher: LauncherClient, instance_id: str, way: Way = "exec", **settings: object) -> Launched:
    return await launcher.launch(spec(instance_id, "bind_unix", "{uds}", way=way, listen="uds", **settings))


async def _call(launched: Launched) -> None:
    """Wait until it answers."""
    with anyio.fail_after(SOON):
        while True:
            try:
                stream = await connect(launched)
            except (FileNotFoundError, ConnectionRefusedError):
                await anyio.lowlevel.checkpoint()
            else:
                async with stream:
                    assert await stream.receive()
                return


def _stat(path: Path) -> os.stat_result | None:
    return path.stat() if path.exists() else None


@pytest.mark.parametrize("way", WAYS)
async def test_an_instance_listens_at_its_path_which_goes_with_it(tmp_path: Path, way: Way) -> None:
    """However long the data dir's path and the instance's id are, and whoever looks on."""
    data_dir = tmp_path / ("long" * 30)
    async with running_launcher(data_dir) as launcher:
        launched = await _launch(launcher, "i" * 128, way)
        other = await _launch(launcher, "j")
        await _call(launched)
        folder = Path(str(launched.path)).parent
        found = _stat(folder)
        assert found is not None
        assert (found.st_mode & 0o777, found.st_uid) == (0o700, os.geteuid())
        assert (launched.host, launched.port, launched.listen) == (None, None, "uds")
        with anyio.fail_after(SOON):
            await launcher.stop("i" * 128)
        assert _stat(folder) is None
        await _call(other)
        await launcher.shutdown(0.0)
        await until_dead(launcher.launcher_pid)
    assert _stat(folder.parent) is None
    assert len(str(launched.path)) <= 107


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts processes of other users")
async def test_another_user_has_a_folder_of_his_own(tmp_path: Path) -> None:
    """He can bind there, and nobody else but root can look in."""
    async with running_launcher(tmp_path) as launcher:
        launched = await _launch(launcher, "i1", "template", user="nobody")
        await _call(launched)
        found = _stat(Path(str(launched.path)).parent)
    assert found is not None
    assert (found.st_mode & 0o777, found.st_uid) == (0o700, pwd.getpwnam("nobody").pw_uid)


async def test_the_next_launcher_removes_what_a_killed_one_left_and_no_other_does(tmp_path: Path) -> None:
    """A launcher of a copy of the data dir has the link as well, and lets its target be."""
    async with running_launcher(tmp_path / "one") as one:
        folder = Path(str((await _launch(one, "i1")).path)).parent.parent
        shutil.copytree(tmp_path / "one", tmp_path / "two", symlinks=True, ignore=shutil.ignore_patterns("*.sock"))
        async with running_launcher(tmp_path / "two"):
            assert _stat(folder) is not None
        os.kill(one.launcher_pid, signal.SIGKILL)
        await until_dead(one.launcher_pid)
        assert _stat(folder) is not None
    async with running_launcher(tmp_path / "one"):
        assert _stat(folder) is None


async def test_a_failed_launch_leaves_no_folder(tmp_path: Path) -> None:
    """Nothing is left of it, and the next one works."""
    async with running_launcher(tmp_path) as launcher:
        launched = await _launch(launcher, "i1")
        with pytest.raises(LaunchFailedError):
            await launcher.launch(spec("i2", "bind_unix", "{uds}", listen="uds", cwd="/no/such/folder"))
        with pytest.raises(InvalidSpecError, match=r"\{port\}"):
            await launcher.launch(spec("i3", "bind_unix", "{uds}", "{port}", listen="uds"))
        folder = Path(str(launched.path)).parent
        assert sorted(entry.name for entry in os.scandir(folder.parent)) == [folder.name]


async def test_a_folder_that_is_too_deep_is_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the cure."""
    deep = tmp_path / ("deep" * 25)
    deep.mkdir()
    monkeypatch.setenv("TMPDIR", str(deep))
    async with running_launcher(tmp_path / "data") as launcher:
        with pytest.raises(LaunchFailedError, match="shorter TMPDIR"):
            await _launch(launcher, "i1")
