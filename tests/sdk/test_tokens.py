"""A bearer token is found in three places, and goes only to the address that it belongs to."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from arp_sdk import AsyncDaemonClient, DaemonClient, RuntimeClient, ToolRegistryClient
from arp_sdk._tokens import Token, find_token, read_token_file
from arp_sdk.errors import ArpRequestError
from sdk.service import Service, running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sdk.conftest import Caller

HEALTH = {"status": "ok", "time": "2025-06-01T12:00:00Z"}
HERE = httpx.URL("http://127.0.0.1:8082")
SECRET = "s3cret-token"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data folder, and no token in the environment."""
    for name in ("DAEMON", "RUNTIME", "TOOL_REGISTRY"):
        monkeypatch.delenv(f"ARP_{name}_TOKEN", raising=False)
        monkeypatch.delenv(f"ARP_{name}_URL", raising=False)
    monkeypatch.setenv("ARP_DAEMON_DATA_DIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def service() -> Iterator[Service]:
    """A healthy service."""
    with running(Service()) as served:
        served.answer("GET", "/v1/health", HEALTH)
        yield served


def put_token(folder: Path, mode: int = 0o600, text: str = f"{SECRET}\n") -> Path:
    """Make a token file as a daemon would."""
    path = folder / "token"
    path.write_text(text)
    path.chmod(mode)
    return path


def header(token: Token | None) -> str | None:
    """What is sent for a token."""
    return None if token is None else token.header()


async def test_a_token_that_is_given_is_sent(service: Service, caller: Caller) -> None:
    """`token=` becomes the Authorization header of every request."""
    await caller.call("Daemon", service.url, "health", options={"token": SECRET})
    assert service.seen[0].headers["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("client", "variable"),
    [
        (DaemonClient, "ARP_DAEMON_TOKEN"),
        (RuntimeClient, "ARP_RUNTIME_TOKEN"),
        (ToolRegistryClient, "ARP_TOOL_REGISTRY_TOKEN"),
    ],
)
def test_a_token_of_the_environment_is_sent(
    service: Service,
    monkeypatch: pytest.MonkeyPatch,
    client: type[DaemonClient] | type[RuntimeClient] | type[ToolRegistryClient],
    variable: str,
) -> None:
    """Each service has a variable of its own, and gets no other's."""
    for name in ("ARP_DAEMON_TOKEN", "ARP_RUNTIME_TOKEN", "ARP_TOOL_REGISTRY_TOKEN"):
        monkeypatch.setenv(name, f"of-{name}")
    with client(service.url) as made:
        made.health()
    assert service.seen[0].headers["authorization"] == f"Bearer of-{variable}"


def test_a_token_of_the_environment_belongs_to_its_address() -> None:
    """Where a variable names the daemon, the token beside it is for no other; a path makes no difference."""
    environ = {"ARP_DAEMON_TOKEN": SECRET, "ARP_DAEMON_URL": "https://arp.example/a"}
    assert header(find_token("daemon", httpx.URL("https://arp.example:443/b"), None, environ)) == f"Bearer {SECRET}"
    for other in ("http://arp.example", "https://arp.example:8443", "https://evil.example", "https://arp.example.evil"):
        assert find_token("daemon", httpx.URL(other), None, environ) is None
    broken = {"ARP_DAEMON_TOKEN": SECRET, "ARP_DAEMON_URL": "http://[::1"}
    assert find_token("daemon", httpx.URL("https://arp.example"), None, broken) is None


async def test_the_daemons_own_file_is_read_on_this_machine(service: Service, caller: Caller, folder: Path) -> None:
    """The file that a daemon makes in its data folder lets its user in."""
    put_token(folder)
    await caller.call("Daemon", service.url, "health")
    await caller.call("Runtime", service.url, "health")
    assert [seen.headers.get("authorization") for seen in service.seen] == [f"Bearer {SECRET}", None]


@pytest.mark.parametrize(
    "address", ["http://10.0.0.1:8082", "https://arp.example", "http://localhost.example", "http://0.0.0.0:8082"]
)
def test_the_file_never_leaves_this_machine(folder: Path, address: str) -> None:
    """A daemon elsewhere is not told what the one here is guarded by."""
    put_token(folder)
    assert find_token("daemon", httpx.URL(address), None) is None
    assert find_token("daemon", HERE, None) is not None


def test_what_is_said_first_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument before the variable, and that before the file; an empty argument is no token at all."""
    put_token(folder, text="of-file")
    assert header(find_token("daemon", HERE, None)) == "Bearer of-file"
    monkeypatch.setenv("ARP_DAEMON_TOKEN", "of-environment")
    assert header(find_token("daemon", HERE, None)) == "Bearer of-environment"
    assert header(find_token("daemon", HERE, "of-argument")) == "Bearer of-argument"
    assert find_token("daemon", HERE, "") is None


def test_the_file_is_where_the_daemon_has_its_data(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a variable, it is the user's data folder."""
    monkeypatch.delenv("ARP_DAEMON_DATA_DIR")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    (tmp_path / "arp-daemon").mkdir()
    put_token(tmp_path / "arp-daemon")
    assert header(find_token("daemon", HERE, None)) == f"Bearer {SECRET}"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(folder: Path, mode: int) -> None:
    """The error says what to do, and does not show the token."""
    path = put_token(folder, mode)
    with pytest.raises(ValueError, match="chmod 600") as caught:
        DaemonClient("http://127.0.0.1:8082")
    assert str(path) in str(caught.value)
    assert SECRET not in str(caught.value)


def test_what_is_no_file_is_refused(folder: Path) -> None:
    """A FIFO does not keep a client waiting, and no file is no token."""
    assert read_token_file(folder / "none") is None
    assert read_token_file(put_token(folder) / "below") is None
    os.mkfifo(folder / "fifo", 0o600)
    with pytest.raises(ValueError, match="regular file"):
        read_token_file(folder / "fifo")


@pytest.mark.parametrize("value", ["a b", "a\nb", "a\r\nX: y", "\u00e9", "x" * 5000, "\0"])
def test_what_is_no_token_is_refused_and_not_shown(value: str) -> None:
    """Nothing can be smuggled into the request's head, and a mistake is not printed."""
    with pytest.raises(ValueError, match="one word") as caught:
        DaemonClient("http://127.0.0.1:8082", token=value)
    assert value not in str(caught.value)


def test_headers_of_the_callers_own_count_before_what_is_found(service: Service, folder: Path) -> None:
    """Who sends an Authorization header has decided; an httpx client of the caller's own is sent nothing unasked."""
    put_token(folder)
    with DaemonClient(service.url, headers={"authorization": "Basic x"}) as client:
        client.health()
    with httpx.Client(base_url=service.url) as mine:
        DaemonClient(client=mine).health()
        DaemonClient(client=mine, token="t").health()
        assert "authorization" not in mine.headers
    assert [seen.headers.get("authorization") for seen in service.seen] == ["Basic x", None, "Bearer t"]


async def test_an_async_httpx_client_of_the_callers_own_is_sent_nothing_unasked(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for async clients."""
    monkeypatch.setenv("ARP_DAEMON_TOKEN", SECRET)
    service.answer("GET", "/v1/health", HEALTH)
    async with httpx.AsyncClient(base_url=service.url) as mine:
        await AsyncDaemonClient(client=mine).health()
    assert "authorization" not in service.seen[0].headers


async def test_a_redirect_to_another_address_gets_no_token(service: Service, caller: Caller) -> None:
    """The token goes where a redirect within the service leads, and not to another port."""
    status = {"run_id": "r1", "state": "queued"}
    with running(Service()) as other:
        for served in (service, other):
            served.answer("GET", "/moved", status)
            service.answer("GET", "/v1/runs/r1", None, status=307)
            service.headers["location"] = f"{served.url}/moved"
            options = {"token": SECRET, "follow_redirects": True}
            await caller.call("Daemon", service.url, "get_run_status", "r1", options=options)
            # What is answered after this is no redirect.
            service.headers.clear()
    assert [seen.headers.get("authorization") for seen in service.seen] == [f"Bearer {SECRET}"] * 3
    assert [seen.headers.get("authorization") for seen in other.seen] == [None]


def test_a_token_does_not_show(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    """Neither in the client, nor in its parts, nor in what is logged."""
    caplog.set_level(0)
    with DaemonClient(service.url, token=SECRET) as client:
        client.health()
        shown = [repr(client), str(vars(client)), repr(client.raw_client.headers), caplog.text]
    assert all(SECRET not in text for text in shown)


def test_a_header_that_cannot_be_sent_is_not_shown(service: Service) -> None:
    """The error tells that a header is wrong; its value may be a secret."""
    headers = {"Authorization": f"Bearer {SECRET}\n"}
    with DaemonClient(service.url, headers=headers) as client, pytest.raises(ArpRequestError) as caught:
        client.health()
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert "header value" in caught.value.message
