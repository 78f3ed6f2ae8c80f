"""Facts about processes, and the end of trees."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import anyio
import msgspec
import psutil
import pytest

from arp_service import processes
from arp_service.processes import (
    ProcessIdentity,
    ProcessStat,
    Stats,
    boot_id,
    descendants,
    find_marked,
    identify,
    is_alive,
    kill_marked,
    kill_processes,
    kill_tree,
    list_stats,
    read_stat,
    send_signal,
    wait_exit,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SOON = 20.0
# Says how many below it have come up, a character each, and then waits to be killed.
_UP = "import os, signal; os.write(1, b'.'); signal.pause()"
_MIDDLE = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_UP!r}])"
_TREE = f"""
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
if os.fork() == 0:
    # A double-forked daemon: its parent ends, and the subreaper above becomes its parent.
    if os.fork() == 0:
        os.setsid()
        os.execv(sys.executable, [sys.executable, '-c', {_UP!r}])
    os._exit(0)
subprocess.Popen([sys.executable, '-c', {_MIDDLE!r}])
{_UP}
"""


@contextmanager
def running(code: str, up: int = 1, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Python process that runs `code` and has printed `up` characters."""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, **env}, start_new_session=True
    )
    assert process.stdout is not None
    try:
        assert len(process.stdout.read(up)) == up
        yield process
    finally:
        process.stdout.close()
        process.kill()
        process.wait(SOON)


def test_an_identity_is_what_the_kernel_says() -> None:
    """pid, start time in clock ticks and boot id, exactly; and it survives being stored."""
    own = identify(os.getpid())
    assert own is not None
    assert own.pid == os.getpid()
    age = psutil.boot_time() + own.start_time / os.sysconf("SC_CLK_TCK")
    assert age == pytest.approx(psutil.Process().create_time(), abs=2)
    assert len(own.boot_id) == 36
    assert msgspec.json.decode(msgspec.json.encode(own), type=ProcessIdentity) == own
    assert is_alive(own)


def test_a_program_with_a_strange_name_is_read_correctly() -> None:
    """The name in /proc/PID/stat may hold spaces, parentheses and newlines."""
    name = ") R 1 (\n1"
    code = f"open('/proc/self/comm', 'w').write({name!r}); {_UP}"
    with running(code) as process:
        stat = read_stat(process.pid)
        assert stat is not None
        assert (stat.ppid, stat.session) == (os.getpid(), process.pid)


def test_a_pid_that_was_given_out_again_is_another_process() -> None:
    """Promise: nothing is signalled before the identity matches."""
    with running(_UP) as process:
        real = identify(process.pid)
        assert real is not None
        for other in (
            ProcessIdentity(real.pid, real.start_time + 1, real.boot_id),
            ProcessIdentity(real.pid, real.start_time, "an-earlier-boot"),
        ):
            assert not is_alive(other)
            assert not send_signal(other, signal.SIGKILL)
        assert is_alive(real)
        assert send_signal(real, signal.SIGKILL)
        process.wait(SOON)
        assert not is_alive(real)
        assert not send_signal(real, signal.SIGKILL)
        assert identify(process.pid) is None


async def test_a_zombie_has_an_identity_and_no_life() -> None:
    """What is not reaped yet has ended all the same."""
    with running(_UP) as process:
        identity = identify(process.pid)
        assert identity is not None
        process.send_signal(signal.SIGKILL)
        with anyio.fail_after(SOON):
            await wait_exit(identity)
            await wait_exit(identity)
        assert identify(process.pid) == identity
        assert not is_alive(identity)


def test_descendants_are_all_below_and_nothing_else() -> None:
    """Children, grandchildren, and daemons that a subreaper kept; parents come before their children."""
    with running(_TREE, up=3) as process:
        below = descendants(process.pid)
        children = psutil.Process(process.pid).children(recursive=True)
        assert {stat.pid for stat in below} == {one.pid for one in children if one.status() != "zombie"}
        seen = {process.pid}
        for stat in below:
            assert stat.ppid in seen
            seen.add(stat.pid)
        os.killpg(process.pid, signal.SIGKILL)
        for stat in below:
            send_signal(stat.identity, signal.SIGKILL)


@pytest.mark.parametrize("stopped", [False, True])
async def test_a_tree_is_ended_down_to_its_daemons(stopped: bool) -> None:
    """Promise: an instance and all that it forked die together, whether it runs or is stopped."""
    with running(_TREE, up=3) as process:
        root = identify(process.pid)
        below = descendants(process.pid)
        assert root is not None
        assert len(below) == 3
        if stopped:
            send_signal(root, signal.SIGSTOP)
        await kill_tree(root)
        assert not is_alive(root)
        assert [stat.pid for stat in below if is_alive(stat.identity)] == []


async def test_a_tree_that_grows_while_it_dies_is_ended() -> None:
    """Forks that are replaced as fast as they are killed still end, because they are stopped first."""
    code = (
        "import ctypes, os, signal\n"
        "ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "os.write(1, b'.')\n"
        "while True:\n"
        # Each child lives until it is killed, and its parent then makes another.
        "    pid = os.fork()\n"
        "    if pid == 0: signal.pause()\n"
        "    try: os.waitpid(pid, 0)\n"
        "    except ChildProcessError: pass\n"
    )
    with running(code) as process:
        root = identify(process.pid)
        assert root is not None
        await kill_tree(root)
        assert not is_alive(root)
    assert [stat for stat in list_stats().values() if stat.session == process.pid and stat.is_living] == []


async def test_processes_are_stopped_before_they_are_killed() -> None:
    """What is stopped forks nothing more, and frees no room in which others could."""
    states: set[str] = set()

    def below(stats: Stats) -> list[ProcessStat]:
        found = descendants(process.pid, stats)
        states.update(stat.state for stat in found)
        return found

    with running(_TREE, up=3) as process:
        assert await kill_processes(below) == 3
        assert descendants(process.pid) == []
    assert "T" in states


async def test_killing_a_tree_whose_root_is_gone_touches_nobody() -> None:
    """Neither the process that has the pid now, nor its children."""
    with running(_TREE, up=3) as process:
        root = identify(process.pid)
        assert root is not None
        await kill_tree(ProcessIdentity(root.pid, root.start_time - 1, root.boot_id))
        assert is_alive(root)
        assert len(descendants(process.pid)) == 3
        await kill_tree(root)


async def test_the_marked_are_found_and_killed_with_all_below_them() -> None:
    """What was started with the mark, and what hides its own environment below it; never a namesake."""
    hidden = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {_UP!r}], env={{}})"
    mark = f"mark-{os.getpid()}"
    with running(hidden, ARP_TEST=mark) as process, running(_UP, ARP_TEST=mark + "-not") as other:
        [child] = descendants(process.pid)
        assert [stat.pid for stat in find_marked("ARP_TEST", mark)] == [process.pid]
        assert find_marked("TEST", mark) == []
        assert await kill_marked("ARP_TEST", mark) == 2
        assert not is_alive(child.identity)
        assert find_marked("ARP_TEST", mark) == []
        assert other.poll() is None


async def test_who_sweeps_spares_itself_and_those_who_started_it() -> None:
    """A sweep by a marked process ends neither itself nor its ancestors."""
    mark = f"line-{os.getpid()}"
    sweep = (
        "import anyio; from arp_service.processes import kill_marked;"
        f"print(anyio.run(kill_marked, 'ARP_TEST', {mark!r}))"
    )
    code = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {sweep!r}]).returncode)"
    done = await anyio.run_process([sys.executable, "-c", code], env={**os.environ, "ARP_TEST": mark})
    assert done.stdout == b"0\n"


async def test_what_cannot_be_ended_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound holds: a process that survives SIGKILL (here: one that is never sent it) is a TimeoutError."""
    monkeypatch.setattr(processes, "send_signal", lambda *_: True)
    with running(_UP) as process:
        stat = read_stat(process.pid)
        assert stat is not None
        with pytest.raises(TimeoutError):
            await kill_processes(lambda _: [stat], timeout_s=0.01)


def test_the_boot_id_is_the_kernels() -> None:
    """Records of an earlier boot are told from live ones by it."""
    own = identify(os.getpid())
    assert own is not None
    assert own.boot_id == boot_id()
