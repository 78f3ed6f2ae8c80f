"""Secrets by reference: fetched at launch, from what the operator offers, and never seen again."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import anyio
import psutil
import pytest

from arp_daemon.env_from import SecretSources, resolve_env_from
from arp_daemon.errors import InstanceStartError
from arp_daemon.exec_spec import EnvFrom
from support.daemon import running_daemon

if TYPE_CHECKING:
    from pathlib import Path

_SECRET = "wx-47-very-secret"
_TALKS = "import os, sys; sys.exit('my key is ' + os.environ['KEY'])"


def _sources(folder: Path) -> SecretSources:
    return SecretSources(
        folder, {"LENT": "lent value", "OTHER": "x", "RAW": "\udcff"}, frozenset({"LENT", "ABSENT", "RAW"})
    )


async def _value(folder: Path, reference: EnvFrom) -> str:
    return (await resolve_env_from({"KEY": reference}, _sources(folder)))["KEY"]


async def test_a_value_is_the_content_of_a_file_or_of_a_lent_variable(tmp_path: Path) -> None:
    """Without the line break at its end; by a relative or an absolute path within the folder."""
    (tmp_path / "key").write_text(_SECRET + "\n")
    (tmp_path / "link").symlink_to("key")
    assert await _value(tmp_path, EnvFrom(file="key")) == _SECRET
    assert await _value(tmp_path, EnvFrom(file="link")) == _SECRET
    assert await _value(tmp_path, EnvFrom(file=str(tmp_path / "key"))) == _SECRET
    assert await _value(tmp_path, EnvFrom(env="LENT")) == "lent value"


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        (EnvFrom(file="nothing"), "No such file"),
        (EnvFrom(file="folder"), "directory"),
        (EnvFrom(file="fifo"), "no file"),
        (EnvFrom(file="binary"), "not UTF-8"),
        (EnvFrom(file="nul"), "NUL"),
        (EnvFrom(file="big"), "65536 bytes"),
        (EnvFrom(file="../outside"), "outside"),
        (EnvFrom(file="/etc/passwd"), "outside"),
        (EnvFrom(file="escape"), "outside"),
        (EnvFrom(env="OTHER"), "does not lend"),
        (EnvFrom(env="ABSENT"), "has no variable"),
        (EnvFrom(env="RAW"), "not UTF-8"),
    ],
)
async def test_what_the_operator_does_not_offer_is_not_had(tmp_path: Path, reference: EnvFrom, why: str) -> None:
    """The error names the variable and the reason."""
    folder = tmp_path / "secrets"
    (folder / "folder").mkdir(parents=True)
    os.mkfifo(folder / "fifo")
    (folder / "binary").write_bytes(b"\xff")
    (folder / "nul").write_bytes(b"a\0b")
    (folder / "big").write_bytes(b"x" * 65537)
    (tmp_path / "outside").write_text("x")
    (folder / "escape").symlink_to(tmp_path / "outside")
    with anyio.fail_after(5), pytest.raises(InstanceStartError) as caught:
        await _value(folder, reference)
    assert "'KEY'" in caught.value.message
    assert why in caught.value.message


async def test_an_instance_has_its_secrets_and_nobody_sees_them(tmp_path: Path) -> None:
    """They are in its environment, and neither in the profile, an answer, the daemon's log nor its store."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text(_SECRET)
    async with running_daemon(tmp_path / "data", "--secrets-dir", str(tmp_path / "secrets")) as daemon:
        env_from = {"KEY": {"file": "key"}}
        await daemon.put_profile("holds", driver="runtime", env_from=env_from)
        response = await daemon.client.post("/v1/instances", json={"runtime_profile": "holds"})
        (instance,) = response.json()["instances"]
        assert psutil.Process(instance["extensions"]["arp.pid"]).environ()["KEY"] == _SECRET
        await daemon.put_profile("talks", driver="command", command=[sys.executable, "-c", _TALKS], env_from=env_from)
        refused = await daemon.client.post("/v1/instances", json={"runtime_profile": "talks"})
        assert "my key is ****" in refused.json()["error"]["details"]["stderr_tail"]
        listed = await daemon.get("/v1/admin/runtime-profiles")
        assert _SECRET not in response.text + refused.text + str(listed) + str(await daemon.instances())
    assert _SECRET not in (tmp_path / "data.log").read_text()
    assert not [f for f in (tmp_path / "data").glob("daemon.sqlite3*") if _SECRET.encode() in f.read_bytes()]


async def test_a_secret_that_cannot_be_had_starts_nothing(tmp_path: Path) -> None:
    """422 that names the variable; the daemon's own variables are not lent unless the operator says so."""
    async with running_daemon(tmp_path / "data", "--allow-env-from", "HOME") as daemon:
        await daemon.put_profile("lent", driver="runtime", env_from={"THEIRS": {"env": "HOME"}})
        response = await daemon.client.post("/v1/instances", json={"runtime_profile": "lent"})
        assert response.status_code == 200, response.text
        await daemon.put_profile("not-lent", driver="runtime", env_from={"THEIRS": {"env": "PATH"}})
        response = await daemon.client.post("/v1/instances", json={"runtime_profile": "not-lent"})
        assert (response.status_code, response.json()["error"]["code"]) == (422, "instance_start_failed")
        assert response.json()["error"]["details"]["variable"] == "THEIRS"
        assert "--allow-env-from" in response.json()["error"]["message"]


async def test_an_agent_that_tells_its_secret_tells_nobody(tmp_path: Path) -> None:
    """Not in events, not in the result, and not after a restart of the daemon, which then never launched it."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text(_SECRET)
    agent = "import os\n\nasync def tell(context):\n"
    agent += "    await context.step('tell', key=os.environ['KEY'])\n    return {'key': os.environ['KEY']}\n"
    (tmp_path / "telling.py").write_text(agent)
    exec_ = {"driver": "runtime", "agent": "telling:tell", "working_directory": str(tmp_path)}
    arguments = ("--secrets-dir", str(tmp_path / "secrets"))
    async with running_daemon(tmp_path / "data", *arguments) as daemon:
        await daemon.put_profile("p", env_from={"KEY": {"file": "key"}}, **exec_)
        select = {"runtime_selector": {"runtime_profile": "p"}}
        first = await daemon.submit("x", **select)
        assert (await daemon.result(first))["output"] == {"key": "****"}
        await daemon.kill()
        await daemon.start(*arguments)
        second = await daemon.submit("x", **select)
        assert (await daemon.result(second))["output"] == {"key": "****"}
        for run_id in (first, second):
            assert _SECRET not in str(await daemon.events(run_id)) + str(await daemon.get(f"/v1/runs/{run_id}/trace"))
        assert len(await daemon.instances()) == 1


async def test_last_words_are_without_secrets(tmp_path: Path) -> None:
    """What an instance says as it dies is in the daemon's log, but for its secrets."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "key").write_text(_SECRET)
    agent = "import os, sys\n\nasync def die(context):\n"
    agent += "    print('dying with', os.environ['KEY'], file=sys.stderr, flush=True)\n    os._exit(3)\n"
    (tmp_path / "dying.py").write_text(agent)
    exec_ = {"driver": "runtime", "agent": "dying:die", "working_directory": str(tmp_path)}
    async with running_daemon(tmp_path / "data", "--secrets-dir", str(tmp_path / "secrets")) as daemon:
        await daemon.put_profile("p", env_from={"KEY": {"file": "key"}}, **exec_)
        run_id = await daemon.submit("x", runtime_selector={"runtime_profile": "p"})
        result = await daemon.result(run_id)
        assert result["error"]["code"] == "instance_lost"
        assert _SECRET not in str(result) + str(await daemon.instances())
    log = (tmp_path / "data.log").read_text()
    assert "dying with ****" in log
    assert _SECRET not in log
