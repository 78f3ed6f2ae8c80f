"""Whatever goes wrong in a call comes out as one family of errors, in both kinds of client."""

from __future__ import annotations

import gzip
import pickle
from typing import TYPE_CHECKING, Any

import httpx
import pytest

import arp_sdk
from arp_sdk import DaemonClient, errors, models
from arp_sdk._http import map_httpx_errors
from arp_sdk.errors import ArpApiError, ArpConnectionError, ArpRequestError, ArpResponseError, ArpTimeoutError
from sdk.scripted import Answer, http, json, playing

if TYPE_CHECKING:
    from sdk.conftest import Caller
    from sdk.service import Service

ENVELOPE = {
    "error": {
        "code": "run_not_found",
        "message": "Run 'r1' does not exist.",
        "details": {"run_id": "r1"},
        "retryable": False,
    }
}
RUN = models.RunRequest(models.RunRequestInput("x"))


async def failed(caller: Caller, url: str, method: str = "get_run_status", argument: Any = "r1") -> ArpApiError:
    """Return the error that a call of the daemon's client raises."""
    with pytest.raises(ArpApiError) as caught:
        await caller.call("Daemon", url, method, argument)
    return caught.value


async def test_an_envelope_becomes_an_error_with_all_that_it_says(service: Service, caller: Caller) -> None:
    """Code, message, details, status and the raw document are on the error."""
    service.answer("GET", "/v1/runs/r1", ENVELOPE, status=404)
    error = await failed(caller, service.url)
    assert type(error) is ArpApiError
    assert isinstance(error, RuntimeError)
    assert (error.code, error.message, error.details, error.status_code, error.raw) == (
        "run_not_found",
        "Run 'r1' does not exist.",
        {"run_id": "r1"},
        404,
        ENVELOPE,
    )
    assert str(error) == "[404] run_not_found: Run 'r1' does not exist."
    assert error.retryable is False


async def test_what_an_envelope_leaves_out_is_none(service: Service, caller: Caller) -> None:
    """Details and retryable need not be there; unknown fields do no harm, and stay in `raw`."""
    raw = {"error": {"code": "c", "message": "m", "hint": "h"}, "request_id": 1}
    service.answer("GET", "/v1/runs/r1", raw, status=400)
    error = await failed(caller, service.url)
    assert (error.code, error.details, error.retryable, error.raw) == ("c", None, None, raw)


@pytest.mark.parametrize("status", [301, 400, 404, 500, 502])
async def test_a_failure_without_an_envelope_is_a_response_error(service: Service, caller: Caller, status: int) -> None:
    """A proxy's page, or any body that is no ErrorEnvelope, is reported with its status and its text."""
    service.media_type = "text/html"
    service.answer("GET", "/v1/runs/r1", "<h1>Oh no</h1>", status=status)
    error = await failed(caller, service.url)
    assert type(error) is ArpResponseError
    assert (error.code, error.status_code, error.raw) == ("unexpected_status", status, "<h1>Oh no</h1>")


@pytest.mark.parametrize(
    "body", ["<h1>Hi</h1>", "", "[]", '{"run_id": "r1"}', '{"run_id": "r1", "state": "resting"}', "[" * 5000]
)
async def test_a_success_that_is_not_what_was_promised_is_a_response_error(
    service: Service, caller: Caller, body: str
) -> None:
    """A success is believed only when its body is what the contract says."""
    service.answer("GET", "/v1/runs/r1", body)
    error = await failed(caller, service.url)
    assert type(error) is ArpResponseError
    assert (error.code, error.status_code, error.raw) == ("invalid_response", 200, body[:2000])


async def test_a_long_answer_that_is_wrong_is_kept_in_part(service: Service, caller: Caller) -> None:
    """An error does not carry megabytes of a wrong answer around."""
    service.answer("GET", "/v1/runs/r1", "x" * 1_000_000, status=500)
    assert len((await failed(caller, service.url)).raw or "") == 2000


async def test_another_success_than_the_documented_one_is_taken_unless_told_otherwise(service: Service) -> None:
    """`raise_on_unexpected_status` asks for exactly the documented status."""
    service.answer("POST", "/v1/runs", {"run_id": "r1", "state": "queued"}, status=200)
    with DaemonClient(service.url) as client:
        assert client.submit_run(RUN).run_id == "r1"
    with DaemonClient(service.url, raise_on_unexpected_status=True) as client, pytest.raises(ArpResponseError):
        client.submit_run(RUN)


async def test_no_service_at_all_is_a_connection_error(caller: Caller) -> None:
    """Where nothing listens, nothing was sent: the code says so, and the message says where."""
    with playing(json("200 OK", {"run_id": "r1", "state": "queued"})) as script:
        await caller.call("Daemon", script.url, "get_run_status", "r1")
    error = await failed(caller, script.url.replace("//", "//me:secret@"))
    assert (type(error), error.code, error.status_code) == (ArpConnectionError, "connection_failed", None)
    assert error.message.startswith(f"There is no connection to {script.url}: ")


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b""),
        Answer(b"", reset=True),
        Answer(b"nonsense\r\n\r\n"),
        Answer(http("200 OK", "application/json", b'{"run_id"', length=100)),
    ],
    ids=["closed", "reset", "no HTTP", "cut short"],
)
async def test_a_connection_that_breaks_is_a_connection_error(caller: Caller, answer: Answer) -> None:
    """Once the request was sent, nobody knows whether it was carried out; the code says that as well."""
    with playing(answer) as script:
        error = await failed(caller, script.url)
    assert (type(error), error.code) == (ArpConnectionError, "connection_lost")


async def test_an_answer_that_does_not_come_is_a_timeout_error() -> None:
    """The client's timeout bounds the wait."""
    with (
        playing(Answer(b"", hold=True)) as script,
        DaemonClient(script.url, timeout=0.05) as client,
        pytest.raises(ArpTimeoutError) as caught,
    ):
        client.health()
    assert caught.value.code == "timeout"


async def test_an_answer_that_cannot_be_unpacked_is_a_response_error(caller: Caller) -> None:
    """A body that is not what its encoding says is the service's fault, not the connection's."""
    body = gzip.compress(b"{}")[:-4] + b"oops"
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body)
    with playing(Answer(head + body)) as script:
        error = await failed(caller, script.url)
    assert (type(error), error.code) == (ArpResponseError, "invalid_response")


async def test_a_redirect_is_not_followed_unless_told(service: Service) -> None:
    """`follow_redirects` follows; in a circle, it ends in an error of ours."""
    service.headers["location"] = "/v1/health"
    service.answer("GET", "/v1/health", None, status=302)
    with DaemonClient(service.url) as client, pytest.raises(ArpResponseError) as caught:
        client.health()
    assert (caught.value.code, caught.value.status_code) == ("unexpected_status", 302)
    with DaemonClient(service.url, follow_redirects=True) as client, pytest.raises(ArpResponseError) as caught:
        client.health()
    assert caught.value.code == "invalid_response"


def test_a_header_that_http_cannot_carry_is_a_request_error(service: Service) -> None:
    """What httpx refuses to send is reported as a request that was not sent."""
    headers = {"Authorization": "Bearer a\nb"}
    with DaemonClient(service.url, headers=headers) as client, pytest.raises(ArpRequestError):
        client.health()


def subclasses(of: type[httpx.RequestError]) -> set[type[httpx.RequestError]]:
    """A class and everything below it."""
    return {of}.union(*(subclasses(below) for below in of.__subclasses__()))


@pytest.mark.parametrize("foreign", sorted(subclasses(httpx.RequestError), key=str))
def test_every_error_of_a_request_is_translated(foreign: type[httpx.RequestError]) -> None:
    """No exception that httpx may raise for a request gets past the seam, and none is left without a text."""
    with pytest.raises(ArpApiError) as caught, map_httpx_errors():
        raise foreign("")
    assert caught.value.message
    assert isinstance(caught.value.__cause__, foreign)
    not_sent = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"}
    assert (caught.value.code == "connection_failed") == (foreign.__name__ in not_sent)


def test_every_error_is_in_the_tree_and_in_the_docs_of_the_module() -> None:
    """Catching ArpApiError catches them all; the tree in the docstring is complete."""
    classes = [item for item in vars(errors).values() if getattr(item, "__module__", None) == errors.__name__]
    assert {item.__name__ for item in classes} == set(errors.__all__)
    assert all(issubclass(item, ArpApiError) for item in classes)
    assert all(item.__name__ in (errors.__doc__ or "") for item in classes)
    assert set(errors.__all__) <= set(arp_sdk.__all__)


def test_an_error_is_built_as_in_the_published_sdk() -> None:
    """Code and message by position, the rest by name; without a status none is shown."""
    error = ArpApiError("c", "m", details={"a": 1}, status_code=None, raw="r")
    assert (str(error), error.details, error.raw, error.retryable) == ("c: m", {"a": 1}, "r", None)


def test_an_error_can_cross_a_process_border() -> None:
    """Errors are pickled by process pools, and come back whole."""
    error = pickle.loads(pickle.dumps(ArpResponseError("c", "m", details=1, status_code=500, raw="x")))
    assert type(error) is ArpResponseError
    assert (error.code, error.message, error.details, error.status_code, error.raw) == ("c", "m", 1, 500, "x")
