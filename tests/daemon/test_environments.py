"""Python environments of profiles: built once, apart from any request, and whole or not there at all."""

from __future__ import annotations

import base64
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest

from arp_daemon.launcher import open_launcher
from arp_daemon.launcher.paths import LAUNCHER_ID_VARIABLE, launcher_id
from support.daemon import RunningDaemon, is_alive, running_daemon
from support.waiting import until, until_answer
from support.wheels import make_wheel

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream

_PROFILES = "/v1/admin/runtime-profiles"
_AGENT = "async def answer(context):\n    import tiny_words\n    return {'text': tiny_words.WORDS}\n"
_PLAIN = (Path(__file__).parent.parent / "support" / "bestiary" / "plain_runtime.py").read_text()
_PLAIN_CLI = """
import sys
from http.server import ThreadingHTTPServer
from plain_runtime import _Handler

def main():
    port = int(sys.argv[sys.argv.index("--port") + 1])
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An agent that needs a library, and a runtime with a program."""
    folder = tmp_path_factory.mktemp("wheels")
    make_wheel(folder, "tiny_agent", "1.0", {"tiny_agent.py": _AGENT})
    make_wheel(folder, "tiny_words", "2.0", {"tiny_words.py": "WORDS = 'from afar'\n"})
    modules = {"plain_runtime.py": _PLAIN, "plain_cli.py": _PLAIN_CLI}
    make_wheel(folder, "plain_runtime", "0.1.0", modules, {"plain-runtime": "plain_cli:main"})
    return folder


def _agent(wheels: Path, *requirements: str, **more: Any) -> dict[str, Any]:
    return {
        "driver": "python",
        "requirements": list(requirements or ("tiny-agent==1.0", "tiny-words==2.0")),
        "find_links": [str(wheels)],
        "no_index": True,
        "agent": "tiny_agent:answer",
        **more,
    }


def _program(wheels: Path, *more: str) -> dict[str, Any]:
    """The plain runtime, which is quicker to install and to start than an agent."""
    command = ["{bin}/plain-runtime", "--port", "{port}"]
    return _agent(wheels, "plain-runtime==0.1.0", *more, agent=None, command=command)


async def _profile(daemon: RunningDaemon, name: str = "p") -> dict[str, Any]:
    profiles = (await daemon.get(_PROFILES))["profiles"]
    return next(p for p in profiles if p["runtime_profile"] == name)


async def _environment(daemon: RunningDaemon, name: str) -> dict[str, Any]:
    return dict((await _profile(daemon, name))["extensions"]["arp.environment"])


async def _built(daemon: RunningDaemon, name: str = "p") -> dict[str, Any]:
    """Wait until the environment is not being built any more; return what the profile shows of it."""
    return await until_answer(lambda: _environment(daemon, name), lambda shown: shown["state"] != "building")


def _folders(data_dir: Path) -> list[Path]:
    """The environments that there are, half ones included."""
    root = data_dir / "environments"
    return sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.is_symlink())


def _left(data_dir: Path) -> set[Path]:
    """Anything at all of environments."""
    return set((data_dir / "environments").iterdir())


# uv where the machine has it, pip elsewhere.
_INSTALLER = re.compile(r"\b(uv|pip)\b")


def _installers(data_dir: Path) -> list[psutil.Process]:
    """Programs that install something for this data dir, or that a step has left behind."""
    mark = launcher_id(data_dir)
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(LAUNCHER_ID_VARIABLE) == mark and _INSTALLER.search(" ".join(process.cmdline())):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
    return found


def _is_building(data_dir: Path) -> bool:
    return len(_folders(data_dir)) == 1 and bool(_installers(data_dir))


@asynccontextmanager
async def _mute_index() -> AsyncIterator[tuple[str, anyio.Event]]:
    """Yield the URL of an index that takes every question and never answers, and an event of the first question."""
    asked = anyio.Event()

    async def take(stream: SocketStream) -> None:
        async with stream:
            asked.set()
            await anyio.sleep_forever()

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, take)
        yield f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}/simple", asked
        tasks.cancel_scope.cancel()


async def test_an_agent_runs_with_the_requirements_that_its_profile_pins(daemon: RunningDaemon, wheels: Path) -> None:
    """The upsert answers at once; a run that comes before the environment is ready waits for it."""
    await daemon.put_profile("p", **_agent(wheels))
    run_id = await daemon.submit("say it", runtime_selector={"runtime_profile": "p"})
    result = await daemon.result(run_id)
    assert result["output"] == {"text": "from afar"}, result
    assert (await _profile(daemon))["extensions"]["arp.environment"] == {"state": "ready"}
    (instance,) = await daemon.instances()
    used = psutil.Process(instance["extensions"]["arp.pid"]).environ()["VIRTUAL_ENV"]
    assert Path(used) in _folders(daemon.data_dir)


@pytest.mark.own_daemon
async def test_pip_builds_the_same_environment(daemon: RunningDaemon, wheels: Path) -> None:
    """Where a profile asks for it, or there is no uv."""
    await daemon.put_profile("p", **_agent(wheels, installer="pip"))
    assert await _built(daemon) == {"state": "ready"}
    result = await daemon.result(await daemon.submit("say it", runtime_selector={"runtime_profile": "p"}))
    assert result["output"] == {"text": "from afar"}, result


async def test_a_failed_install_is_a_clear_error_and_leaves_nothing(daemon: RunningDaemon, wheels: Path) -> None:
    """The profile shows it, instances are refused with it, runs fail with it, and there is no half environment."""
    before = _left(daemon.data_dir)
    await daemon.put_profile("p", **_agent(wheels, "no-such-thing==1.0"))
    run_id = await daemon.submit("say it", runtime_selector={"runtime_profile": "p"})
    environment = await _built(daemon)
    assert environment["state"] == "failed"
    assert environment["error"] == "Cannot install the requirements: exit code 1."
    assert "no-such-thing" in environment["log_tail"]
    refused = await daemon.client.post("/v1/instances", json={"runtime_profile": "p"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "environment_failed")
    assert "no-such-thing" in refused.json()["error"]["details"]["log_tail"]
    assert (await daemon.result(run_id))["error"]["code"] == "environment_failed"
    assert _left(daemon.data_dir) == before


@pytest.mark.own_daemon
async def test_putting_the_profile_again_tries_again(daemon: RunningDaemon, wheels: Path, tmp_path: Path) -> None:
    """What was missing may be there now."""
    await daemon.put_profile("p", **_agent(tmp_path / "links"))
    assert (await _built(daemon))["state"] == "failed"
    (tmp_path / "links").symlink_to(wheels)
    await daemon.put_profile("p", **_agent(tmp_path / "links"))
    assert await _built(daemon) == {"state": "ready"}


async def test_an_environment_that_is_being_built_starts_nothing_yet(daemon: RunningDaemon, wheels: Path) -> None:
    """409, retryable; and a profile that is replaced ends the build."""
    before = set(_folders(daemon.data_dir))
    async with _mute_index() as (url, asked):
        await daemon.put_profile("p", driver="python", requirements=["a==1"], index_url=url, agent="a:b")
        with anyio.fail_after(30):
            await asked.wait()
        assert (await _profile(daemon))["extensions"]["arp.environment"] == {"state": "building"}
        refused = await daemon.client.post("/v1/instances", json={"runtime_profile": "p"})
        error = refused.json()["error"]
        assert (refused.status_code, error["code"], error["retryable"]) == (409, "environment_building", True)
        installers = _installers(daemon.data_dir)
        assert installers
        (half,) = set(_folders(daemon.data_dir)) - before
        await daemon.put_profile("p", **_agent(wheels))
        assert await _built(daemon) == {"state": "ready"}
        await until(lambda: not any(is_alive(p) for p in installers) and half not in _folders(daemon.data_dir))


async def test_a_build_takes_no_longer_than_the_profile_says(daemon: RunningDaemon) -> None:
    """Then it has failed, and nothing of it runs."""
    before = _left(daemon.data_dir)
    async with _mute_index() as (url, _asked):
        exec_ = {"requirements": ["a==1"], "index_url": url, "agent": "a:b", "build_timeout_s": 1.5}
        await daemon.put_profile("p", driver="python", **exec_)
        environment = await _built(daemon)
        assert environment["error"] == "It was not built within 1.5 s."
        assert not _installers(daemon.data_dir)
        assert _left(daemon.data_dir) == before


async def test_no_death_leaves_a_half_environment(wheels: Path, tmp_path: Path) -> None:
    """A stopped daemon ends its builds; the next one after a killed one does, and after a killed launcher too."""
    data_dir = tmp_path / "data"
    async with _mute_index() as (url, asked):
        async with running_daemon(data_dir) as daemon:
            await daemon.put_profile("p", driver="python", requirements=["a==1"], index_url=url, agent="a:b")
            with anyio.fail_after(30):
                await asked.wait()
            (first,) = _folders(data_dir)
            await daemon.kill()
            assert _installers(data_dir)
            await daemon.start()
            await until(lambda: first not in _folders(data_dir) and _is_building(data_dir))
            (second,) = _folders(data_dir)
            async with open_launcher(data_dir) as launcher:
                psutil.Process(launcher.launcher_pid).kill()
            await until(lambda: second not in _folders(data_dir) and _is_building(data_dir))
        assert not _installers(data_dir)
        assert _left(data_dir) == set()


async def test_an_environment_outlives_the_daemon_and_is_shared(wheels: Path, tmp_path: Path) -> None:
    """It is built once for all profiles with the same requirements; what nobody needs goes at the next start."""
    async with running_daemon(tmp_path / "data") as daemon:
        await daemon.put_profile("p", **_program(wheels))
        await daemon.put_profile("q", **_program(wheels) | {"max": 7})
        await daemon.put_profile("other", **_program(wheels, "tiny-words==2.0"))
        for name in ("p", "q", "other"):
            assert await _built(daemon, name) == {"state": "ready"}
        before = _folders(tmp_path / "data")
        assert len(before) == 2
        assert (await daemon.client.delete(f"{_PROFILES}/other")).status_code == 204
        await daemon.stop()
        await daemon.start()
        assert await _built(daemon) == {"state": "ready"}
        await until(lambda: len(_folders(tmp_path / "data")) == 1)
        assert _folders(tmp_path / "data")[0] in before


async def test_an_environment_in_use_stays(wheels: Path, tmp_path: Path) -> None:
    """An instance that is found again may import more of it at any time."""
    async with running_daemon(tmp_path / "data") as daemon:
        await daemon.put_profile("p", **_program(wheels))
        await _built(daemon)
        assert (await daemon.client.post("/v1/instances", json={"runtime_profile": "p"})).is_success
        (used,) = _folders(tmp_path / "data")
        await daemon.put_profile("p", **_program(wheels, "tiny-words==2.0"))
        await _built(daemon)
        await daemon.kill()
        await daemon.start()
        await daemon.put_profile("p", **_program(wheels, "tiny-agent==1.0"))
        await _built(daemon)  # nothing is built before the sweep is over
        assert used in _folders(tmp_path / "data")


async def test_what_a_profile_does_not_know_of_its_environment_is_not_believed(
    daemon: RunningDaemon, wheels: Path
) -> None:
    """An answer may be put back as it is: the state that it shows is left out, and never stored."""
    extensions = {"arp.exec": _agent(wheels, "no-such-thing==1.0"), "arp.environment": {"state": "ready"}}
    response = await daemon.client.put(f"{_PROFILES}/p", json={"extensions": extensions})
    assert response.json()["extensions"]["arp.environment"] == {"state": "building"}
    assert (await _built(daemon))["state"] == "failed"
    (await daemon.client.put(f"{_PROFILES}/q", json={"extensions": {"arp.environment": {"state": "ready"}}}))
    assert "arp.environment" not in (await _profile(daemon, "q"))["extensions"]


@asynccontextmanager
async def _closed_index(wheel: str, content: bytes, credentials: str) -> AsyncIterator[str]:
    """Yield host and port of an index that serves one wheel to who knows the credentials."""
    wanted = b"authorization: basic " + base64.b64encode(credentials.encode()).lower()
    pages = {
        b"/simple/tiny-words/": (b"text/html", f'<a href="/{wheel}">{wheel}</a>'.encode()),
        f"/{wheel}".encode(): (b"application/octet-stream", content),
    }

    async def answer(stream: SocketStream) -> None:
        async with stream:
            head = b""
            while b"\r\n\r\n" not in head:
                head += await stream.receive()
            type_, body = pages.get(head.split()[1], (b"text/plain", b""))
            status = b"200 OK" if wanted in head.lower() and body else b"401 Unauthorized"
            if not status.startswith(b"200"):
                body = b""
            lines = [b"HTTP/1.1 " + status, b"Connection: close", b"Content-Type: " + type_]
            lines.append(b"Content-Length: %d" % len(body))
            await stream.send(b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if head.startswith(b"HEAD") else body))

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        yield f"127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()


async def test_credentials_of_an_index_are_used_and_not_shown(daemon: RunningDaemon, wheels: Path) -> None:
    """Not in answers, errors or the log, and not in arguments that every user can read."""
    wheel = "tiny_words-2.0-py3-none-any.whl"
    async with _closed_index(wheel, (wheels / wheel).read_bytes(), "reader:geheim-77") as host:
        exec_ = {"driver": "python", "requirements": ["tiny-words==2.0"], "agent": "tiny_words:x"}
        answers = []
        for password, state in (("wrong-99", "failed"), ("geheim-77", "ready")):
            details = exec_ | {"index_url": f"http://reader:{password}@{host}/simple"}
            response = await daemon.client.put(f"{_PROFILES}/p", json={"extensions": {"arp.exec": details}})
            answers.append(response.text)
            environment = await _built(daemon)
            assert environment["state"] == state, environment
            refused = await daemon.client.post("/v1/instances", json={"runtime_profile": "p"})
            answers += [str(environment), refused.text, str(await _profile(daemon))]
        assert (await _profile(daemon))["extensions"]["arp.exec"]["index_url"] == f"http://****@{host}/simple"
        shown = "\n".join(answers) + daemon.data_dir.with_suffix(".log").read_text()
        assert "geheim-77" not in shown
        assert "wrong-99" not in shown
        back = await daemon.client.put(
            f"{_PROFILES}/p", json={"extensions": {"arp.exec": exec_ | {"index_url": f"http://****@{host}"}}}
        )
        assert (back.status_code, back.json()["error"]["code"]) == (400, "invalid_runtime_profile")
        assert "index_url" in back.json()["error"]["message"]


async def test_a_profile_of_arp_jarvis_daemon_starts_unchanged(daemon: RunningDaemon, wheels: Path) -> None:
    """Its pip driver: the package is installed, and its program started with `serve` and a port."""
    wheel = wheels / "plain_runtime-0.1.0-py3-none-any.whl"
    profile = {
        "runtime_name": "plain",
        "extensions": {
            "arp.jarvis.exec": {
                "driver": "pip",
                "pip_spec": f"plain-runtime @ {wheel.as_uri()}",
                "entrypoint": "plain-runtime",
                "entrypoint_args": ["serve"],
            }
        },
    }
    response = await daemon.client.put(f"{_PROFILES}/jarvis-local", json=profile)
    assert response.is_success, response.text
    run_id = await daemon.submit("hello", runtime_selector={"runtime_profile": "jarvis-local"})
    assert (await daemon.result(run_id))["output"] == {"echo": "hello"}


async def test_a_program_that_no_requirement_brings_is_missed_at_once(daemon: RunningDaemon, wheels: Path) -> None:
    """And not when the first instance is started."""
    before = _left(daemon.data_dir)
    exec_ = _agent(wheels, "tiny-words==2.0", agent=None, command=["{bin}/words", "--port", "{port}"])
    await daemon.put_profile("p", **exec_)
    assert (await _built(daemon))["error"] == "No requirement brings the program 'words'."
    assert _left(daemon.data_dir) == before


async def test_only_interpreters_that_the_operator_names_are_used(wheels: Path, tmp_path: Path) -> None:
    """By their names; an agent then needs our runtime among its requirements."""
    async with running_daemon(tmp_path / "data", "--interpreter", f"mine={sys.executable}") as daemon:
        command = {"agent": None, "command": ["{python}", "-c", "import tiny_words; print(1)"]}
        await daemon.put_profile("p", **_agent(wheels, "tiny-words==2.0", python="mine", **command))
        assert await _built(daemon) == {"state": "ready"}
        for exec_, why in (
            (_agent(wheels, python="/usr/bin/python3", **command), "--interpreter"),
            (_agent(wheels, python="mine"), "arp-runtime"),
        ):
            response = await daemon.client.put(f"{_PROFILES}/q", json={"extensions": {"arp.exec": exec_}})
            assert (response.status_code, response.json()["error"]["code"]) == (400, "invalid_runtime_profile")
            assert why in response.json()["error"]["message"]
