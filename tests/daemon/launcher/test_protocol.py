"""Messages survive the wire, and what breaks a bound does not."""

from __future__ import annotations

import msgspec
import pytest

from arp_daemon.launcher import errors, protocol
from arp_daemon.launcher.protocol import (
    Answer,
    Exited,
    Failure,
    Hello,
    Launch,
    LaunchSpec,
    ListInstances,
    Message,
    Request,
    Shutdown,
    Signal,
    Stop,
    Tail,
    decode_message,
    decode_request,
    encode,
)

_SPEC = LaunchSpec(
    instance_id="i1", argv=["a", "{port}\n"], env={"A": "é\n"}, listen="port", template="package.module:main"
)
_REQUESTS: list[Request] = [
    Launch(id=1, spec=_SPEC),
    Stop(id=2, instance_id="i1", grace_s=0.5),
    Signal(id=3, instance_id="i1", signum=1),
    ListInstances(id=4),
    Tail(id=5, instance_id="i1", stream="stderr", lines=10),
    Shutdown(id=6),
]
_MESSAGES: list[Message] = [
    Hello(launcher_id="x", pid=1),
    Answer(id=1),
    Failure(id=2, code="launch_failed", message="no"),
    Exited(instance_id="i1", signal=9, stderr_tail="bye\n"),
]


@pytest.mark.parametrize("request_", _REQUESTS, ids=lambda request: type(request).__name__)
def test_a_request_is_one_line_and_comes_back_as_it_was(request_: Request) -> None:
    """A newline ends a message, and is never inside one."""
    line = encode(request_)
    assert line.index(b"\n") == len(line) - 1
    assert decode_request(line) == request_


@pytest.mark.parametrize("message", _MESSAGES, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was(message: Message) -> None:
    """The same for what the launcher says."""
    assert encode(decode_message(encode(message))) == encode(message)


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b'{"type": "reboot", "id": 1}',
        b'{"type": "list", "id": 1, "extra": 1}',
        b'{"type": "stop", "id": 1, "instance_id": "i1", "grace_s": -1}',
        b'{"type": "tail", "id": 1, "instance_id": "../x", "stream": "stdout", "lines": 1}',
        b'{"type": "tail", "id": 1, "instance_id": "x\\n", "stream": "stdout", "lines": 1}',
        b'{"type": "tail", "id": 1, "instance_id": "x", "stream": "stdin", "lines": 1}',
        b'{"type": "launch", "id": 1, "spec": {"instance_id": "x", "argv": [], "env": {}}}',
        b'{"type": "launch", "id": 1, "spec": {"instance_id": "x", "argv": ["a"], "env": {}, "template": "a"}}',
        b'{"type": "launch", "id": 1, "spec": {"instance_id": "x", "argv": ["a"], "env": {}, "shell": true}}',
    ],
)
def test_a_request_that_breaks_a_bound_is_refused(line: bytes) -> None:
    """Ids name folders and targets name modules, so what they may be is checked at the door."""
    with pytest.raises(msgspec.DecodeError):
        decode_request(line)


def test_every_wire_error_keeps_its_code() -> None:
    """Codes are stable: each leads to its own class and back."""
    concrete = [getattr(errors, name) for name in errors.__all__ if name.endswith("Error")]
    codes = {error.code for error in concrete}
    assert len(codes) == len(concrete)
    for code in codes - {"launcher_gone", "launcher_start_failed"}:
        error = errors.error_from_code(code, "why", "tail")
        assert (error.code, error.message, error.stderr_tail) == (code, "why", "tail")
    assert type(errors.error_from_code("of_a_newer_launcher", "why", "")) is errors.LauncherError


def test_all_names_of_the_protocol_are_listed() -> None:
    """`__all__` is what others may use."""
    assert set(protocol.__all__) <= set(vars(protocol))
