"""Templates: warm processes that instances are forked from."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest

from arp_daemon.launcher import LauncherClient, LaunchFailedError, LaunchSpec
from arp_daemon.launcher.protocol import Limits
from daemon.launcher.scene import SOON, ask, running_launcher, spec, until_dead

if TYPE_CHECKING:
    from pathlib import Path


def _templates(launcher: LauncherClient) -> list[psutil.Process]:
    children = psutil.Process(launcher.launcher_pid).children()
    return [child for child in children if "arp template" in " ".join(child.cmdline())]


async def test_a_template_is_started_once_and_lives_beside_its_forks(tmp_path: Path) -> None:
    """Design: one warm process for each target, started on first use."""
    async with running_launcher(tmp_path) as launcher:
        assert _templates(launcher) == []
        await ask(await launcher.launch(spec("i1", "echo", way="template")))
        [template] = _templates(launcher)
        await launcher.stop("i1")
        await ask(await launcher.launch(spec("i2", "echo", way="template")))
        assert _templates(launcher) == [template]
    assert not psutil.pid_exists(template.pid)


async def test_forks_share_no_random_state(tmp_path: Path) -> None:
    """Two forks of one process would otherwise throw the same dice."""
    async with running_launcher(tmp_path) as launcher:
        facts = [await ask(await launcher.launch(spec(f"i{n}", "echo", way="template"))) for n in range(3)]
    assert len({fact["random"] for fact in facts}) == 3


async def test_a_fork_bears_its_own_name_and_keeps_its_mark(tmp_path: Path) -> None:
    """Trap: a fork shows its template's command line; and its first environment is what the sweep looks at."""
    async with running_launcher(tmp_path) as launcher:
        launched = await launcher.launch(spec("i1", "echo", "{port}", way="template"))
        await ask(launched)
        process = psutil.Process(launched.pid)
        assert " ".join(process.cmdline()).strip() == f"bestiary echo {launched.port}"
        assert process.environ()["ARP_LAUNCHER_ID"] == launcher.launcher_id


async def test_a_fork_holds_no_descriptor_of_its_template(tmp_path: Path) -> None:
    """A fork has what an executed instance has."""
    async with running_launcher(tmp_path) as launcher:
        facts = await ask(await launcher.launch(spec("i1", "echo", way="template")))
    assert facts["fds"] == [0, 1, 2, 3, 4]


async def test_a_fork_finds_modules_on_the_python_path_of_its_spec(tmp_path: Path) -> None:
    """As an executed Python would."""
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "my_agent.py").write_text("import sys\ndef run():\n    sys.exit('hello from afar')\n")
    env = {"PYTHONPATH": str(tmp_path / "agent")}
    async with running_launcher(tmp_path) as launcher:
        argv = ["x", "import my_agent; my_agent.run()"]
        template = "bestiary:run_code"
        await launcher.launch(LaunchSpec(instance_id="i1", argv=argv, env=env, template=template))
        with anyio.fail_after(SOON):
            assert (await anext(launcher.exits())).stderr_tail == "hello from afar\n"


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("no_such_module:main", "No module named 'no_such_module'"),
        ("bestiary:no_such_function", "no_such_function"),
        ("template_that_dies:main", "I will not be imported"),
    ],
)
async def test_a_template_that_cannot_be_imported_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str, said: str
) -> None:
    """The error names the target and carries what Python said; the launcher goes on."""
    (tmp_path / "template_that_dies.py").write_text("raise SystemExit('I will not be imported')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    async with running_launcher(tmp_path / "data") as launcher:
        broken = LaunchSpec(instance_id="i1", argv=["x"], env={}, template=target)
        for _attempt in range(2):
            with anyio.fail_after(SOON), pytest.raises(LaunchFailedError, match=target) as caught:
                await launcher.launch(broken)
            assert said in caught.value.stderr_tail
        assert await launcher.list() == []
        assert psutil.Process(launcher.launcher_pid).children() == []
        await ask(await launcher.launch(spec("i1", "echo", way="template")))


async def test_a_template_warms_up_once_before_it_forks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its module has a `warm_up`: what that has made is there in each fork."""
    (tmp_path / "warm_template.py").write_text(
        "import os, sys\nwarmed = []\ndef warm_up():\n    warmed.append(os.getpid())\n"
        "def main():\n    sys.exit(f'{warmed} of {os.getpid()}')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    async with running_launcher(tmp_path / "data") as launcher:
        said = set()
        for number in range(2):
            fork = LaunchSpec(instance_id=f"i{number}", argv=["x"], env={}, template="warm_template:main")
            launched = await launcher.launch(fork)
            with anyio.fail_after(SOON):
                warmed, _, pid = (await anext(launcher.exits())).stderr_tail.partition(" of ")
            assert int(pid) == launched.pid
            said.add(warmed)
        [template] = _templates(launcher)
        assert said == {f"[{template.pid}]"}


async def test_a_template_prepares_each_command_line_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its module has a `prepare`: before the first fork that gets it, unless it is long; it sees no secret."""
    (tmp_path / "preparing_template.py").write_text(
        "import os, sys\nprepared = []\n"
        "def prepare(argv):\n    prepared.append((*argv, os.environ.get('SECRET'), os.getpid()))\n"
        "def main():\n    sys.exit(f'{prepared}; {os.environ[\"SECRET\"]}')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    said = []
    async with running_launcher(tmp_path / "data") as launcher:
        for number, argv in enumerate((["x", "1"], ["x", "1"], ["x" * 10_000], ["x", "ü"])):
            await launcher.launch(
                LaunchSpec(instance_id=f"i{number}", argv=argv, env={"SECRET": "s"}, template="preparing_template:main")
            )
            with anyio.fail_after(SOON):
                said.append((await anext(launcher.exits())).stderr_tail)
        [template] = _templates(launcher)
    one, other = ("x", "1", None, template.pid), ("x", "ü", None, template.pid)
    assert said == [f"{[one]}; s\n"] * 3 + [f"{[one, other]}; s\n"]


async def test_a_fork_imports_nothing_on_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What all of them need, their template has."""
    (tmp_path / "warm_template.py").write_text(
        "import sys\nwarm = set()\n"
        "def prepare(argv):\n    warm.update(sys.modules)\n"
        "def main():\n    sys.exit(f'late: {set(sys.modules) - warm}')\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    async with running_launcher(tmp_path / "data") as launcher:
        fork = LaunchSpec(
            instance_id="i1", argv=["x"], env={"A": "1"}, template="warm_template:main", limits=Limits(cpu_weight=50)
        )
        await launcher.launch(fork)
        with anyio.fail_after(SOON):
            assert (await anext(launcher.exits())).stderr_tail == "late: set()\n"


@pytest.mark.parametrize(
    ("settings", "said"), [({"cwd": "/no/such/folder"}, "/no/such/folder"), ({"env": {"A": "\0"}}, "null byte")]
)
async def test_a_fork_that_cannot_be_set_up_says_why_and_is_gone(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    """As an exec does; the template stays for the next one."""
    async with running_launcher(tmp_path) as launcher:
        with anyio.fail_after(SOON), pytest.raises(LaunchFailedError, match=said):
            await launcher.launch(spec("i1", "echo", way="template", **settings))
        assert await launcher.list() == []
        assert psutil.Process(launcher.launcher_pid).children() == _templates(launcher)
        assert len(_templates(launcher)) == 1


async def test_forks_outlive_their_template_and_the_next_launch_starts_another(tmp_path: Path) -> None:
    """A template that dies costs a start, and no instance."""
    async with running_launcher(tmp_path) as launcher:
        first = await launcher.launch(spec("i1", "echo", way="template"))
        [template] = _templates(launcher)
        template.kill()
        # Whether the launcher has heard of it by now or not.
        await until_dead(template.pid)
        second = await launcher.launch(spec("i2", "echo", way="template"))
        assert {(await ask(one))["pid"] for one in (first, second)} == {first.pid, second.pid}


async def test_a_launch_survives_the_death_of_a_template_that_has_forked_before(tmp_path: Path) -> None:
    """Nothing of the instance has run then, so another template is asked, once."""
    async with running_launcher(tmp_path) as launcher:
        await launcher.launch(spec("i1", "echo", way="template"))
        [template] = _templates(launcher)
        template.suspend()

        async def launch() -> None:
            facts = await ask(await launcher.launch(spec("i2", "echo", way="template")))
            assert facts["env"]["ARP_INSTANCE_ID"] == "i2"

        with anyio.fail_after(SOON):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(launch)
                await anyio.lowlevel.checkpoint()
                # Answered after the launch was taken up.
                await launcher.list()
                template.kill()
        assert len(_templates(launcher)) == 1


async def test_forks_under_way_are_no_strays(tmp_path: Path) -> None:
    """Strays are hunted whenever an instance ends; forks that have not reported yet are none."""
    async with running_launcher(tmp_path) as launcher:
        # A template starts with its first fork; here it is the ends and the forks that must meet.
        await launcher.launch(spec("first", "echo", way="template"))

        async def launch(number: int) -> None:
            await launcher.launch(spec(f"short{number}", "fail", "0", "", way="template", listen=None))
            await launcher.launch(spec(f"long{number}", "echo", way="template"))

        with anyio.fail_after(SOON):
            async with anyio.create_task_group() as tasks:
                for number in range(15):
                    tasks.start_soon(launch, number)
            ends = [await anext(launcher.exits()) for _ in range(15)]
        live = [record for record in await launcher.list() if record.exited is None]
    assert {(exited.exit_code, exited.signal) for exited in ends} == {(0, None)}
    assert len(live) == 16


async def test_a_template_that_hangs_blocks_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Design: the protocol with a template is asynchronous; the launcher's loop never waits for it."""
    (tmp_path / "slow_template.py").write_text("import signal\nsignal.pause()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)

    async def launch_slowly() -> None:
        with pytest.raises(LaunchFailedError, match="slow_template"):
            await launcher.launch(LaunchSpec(instance_id="slow", argv=["x"], env={}, template="slow_template:main"))

    async with running_launcher(tmp_path / "data") as launcher, anyio.create_task_group() as tasks:
        tasks.start_soon(launch_slowly)
        with anyio.fail_after(SOON):
            for way in ("exec", "template"):
                await ask(await launcher.launch(spec(way, "echo", way=way)))
            [hanging] = [
                child
                for child in psutil.Process(launcher.launcher_pid).children()
                if "slow_template:main" in child.cmdline()
            ]
            os.kill(hanging.pid, signal.SIGKILL)
            await until_dead(hanging.pid)
