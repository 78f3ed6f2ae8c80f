"""Instances of another user: only where the launcher is root, and then with all that he needs and nothing more."""

from __future__ import annotations

import os
import pwd
import signal
from typing import TYPE_CHECKING

import anyio
import pytest

from arp_daemon.launcher import InvalidSpecError, LaunchFailedError, LaunchSpec
from arp_daemon.launcher.users import find_user
from daemon.launcher.scene import SOON, ask, running_launcher, spec, until_dead

if TYPE_CHECKING:
    from pathlib import Path

_NOBODY = pwd.getpwnam("nobody")
_needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts processes of other users")
_SCRIPT = """\
id -u; id -g; echo "$HOME $USER $LOGNAME"; pwd; grep -E 'NoNewPrivs|CapEff' /proc/self/status
echo opened > /dev/stdout; echo opened > /dev/stderr
"""


def _shell(instance_id: str, script: str, **settings: object) -> LaunchSpec:
    """A program that any user can read."""
    argv = ["/bin/sh", "-c", script]
    return LaunchSpec(instance_id=instance_id, argv=argv, user="nobody", **{"env": {"PATH": "/bin"}, **settings})  # type: ignore[arg-type] # settings of any field


@_needs_root
async def test_an_executed_instance_is_its_user_and_nobody_else(tmp_path: Path) -> None:
    """User, groups and what a login sets; no capabilities and no way to more; logs that he can open by name."""
    async with running_launcher(tmp_path) as launcher:
        await launcher.launch(_shell("i1", _SCRIPT))
        with anyio.fail_after(SOON):
            exited = await anext(launcher.exits())
        said = await launcher.tail("i1", "stdout", 20)
    assert exited.stderr_tail == "opened\n"
    uid, gid, login, cwd, capabilities, no_new, _ = said.splitlines()
    assert (uid, gid) == (str(_NOBODY.pw_uid), str(_NOBODY.pw_gid))
    assert login == f"{_NOBODY.pw_dir} nobody nobody"
    assert cwd == "/"
    assert capabilities.split() == ["CapEff:", "0" * 16]
    assert no_new.split() == ["NoNewPrivs:", "1"]


@_needs_root
async def test_a_fork_of_a_template_is_its_user_and_nobody_else(tmp_path: Path) -> None:
    """The same, for good: real, effective and saved; and the socket that it was given works."""
    async with running_launcher(tmp_path) as launcher:
        facts = await ask(await launcher.launch(spec("i1", "echo", way="template", user=str(_NOBODY.pw_uid))))
        own = await ask(await launcher.launch(spec("i2", "echo", way="template")))
    assert facts["uids"] == [_NOBODY.pw_uid] * 3
    assert facts["gids"] == [_NOBODY.pw_gid] * 3
    assert facts["groups"] == os.getgrouplist("nobody", _NOBODY.pw_gid)
    assert facts["env"]["HOME"] == _NOBODY.pw_dir
    # What a fork does to itself stays its own.
    assert own["uids"] == [0] * 3


@_needs_root
async def test_a_fork_of_a_template_owns_its_files_in_proc(tmp_path: Path) -> None:
    """A change of user gives them to root, and an exec back; a fork does no exec."""
    # It ends at once: what measures the tests would write down what it saw, as a user who may not.
    code = "import os; print(len(open('/proc/self/environ', 'rb').read()) > 0, flush=True); os._exit(0)"
    launch = LaunchSpec(instance_id="i1", argv=["run_code", code], env={}, template="bestiary:run_code", user="nobody")
    async with running_launcher(tmp_path) as launcher:
        await launcher.launch(launch)
        with anyio.fail_after(SOON):
            exited = await anext(launcher.exits())
        assert (exited.stderr_tail, await launcher.tail("i1", "stdout", 1)) == ("", "True\n")


@_needs_root
@pytest.mark.parametrize("way", ["exec", "template"])
async def test_an_instance_of_another_user_dies_with_a_killed_launcher(tmp_path: Path, way: str) -> None:
    """Trap: a change of user clears the parent-death signal, so that is set afterwards."""
    launch = _shell("i1", "exec sleep 1000") if way == "exec" else spec("i1", "echo", way="template", user="nobody")
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(launch)
        os.kill(launcher.launcher_pid, signal.SIGKILL)
        await until_dead(launched.pid)


@_needs_root
async def test_what_a_user_may_not_enter_fails_the_launch(tmp_path: Path) -> None:
    """The folder is entered as the user, not as root."""
    folder = tmp_path / "private"
    folder.mkdir(mode=0o700)
    async with running_launcher(tmp_path) as launcher:
        with pytest.raises(LaunchFailedError, match=r"Cannot enter .*: Permission denied"):
            await launcher.launch(_shell("i1", "true", cwd=str(folder)))


@_needs_root
async def test_variables_of_the_spec_win_over_those_of_the_login(tmp_path: Path) -> None:
    """A profile may give another home."""
    async with running_launcher(tmp_path) as launcher:
        await launcher.launch(_shell("i1", 'echo "$HOME"', env={"PATH": "/bin", "HOME": "/srv"}))
        with anyio.fail_after(SOON):
            await anext(launcher.exits())
        assert await launcher.tail("i1", "stdout", 1) == "/srv\n"


async def test_an_unknown_user_is_refused(tmp_path: Path) -> None:
    """By name and by number, with nothing started."""
    async with running_launcher(tmp_path) as launcher:
        for name in ("no-such-user", "4294967", "99999999999999999999"):
            with pytest.raises(InvalidSpecError, match="this machine has no user"):
                await launcher.launch(spec("i1", "echo", user=name))
        assert await launcher.list() == []


async def test_the_own_user_may_be_named(tmp_path: Path) -> None:
    """Nothing changes then, whoever that is."""
    async with running_launcher(tmp_path) as launcher:
        facts = await ask(await launcher.launch(spec("i1", "echo", user=str(os.geteuid()))))
    assert facts["uids"] == [os.geteuid()] * 3


def test_another_user_is_refused_where_the_launcher_is_not_root() -> None:
    """Issue 3: refused with a clear error."""
    other = "nobody" if os.geteuid() else "root"
    own = os.geteuid()
    if own == 0:
        os.seteuid(_NOBODY.pw_uid)
    try:
        with pytest.raises(InvalidSpecError, match="only a daemon that runs as root"):
            find_user(other)
    finally:
        os.seteuid(own)
