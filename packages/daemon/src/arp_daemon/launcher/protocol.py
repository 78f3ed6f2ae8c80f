"""The launcher's language: newline-delimited JSON of tagged Structs over a Unix socket.

The launcher speaks first (`Hello`). Every request carries an id, and is answered by an `Answer` or a
`Failure` with that id, in any order. `Exited` comes unasked, to every connection.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from arp_service.ids import ID_PATTERN
from arp_service.processes import ProcessIdentity

__all__ = [
    "MAX_MESSAGE_BYTES",
    "MAX_WAIT_S",
    "PROTOCOL_VERSION",
    "Answer",
    "Enforcement",
    "Exited",
    "Failure",
    "Hello",
    "InstanceRecord",
    "Launch",
    "LaunchSpec",
    "Launched",
    "Limits",
    "ListInstances",
    "Listen",
    "LogPiece",
    "Message",
    "ReadLog",
    "Request",
    "Shutdown",
    "Signal",
    "Stop",
    "Stream",
    "Tail",
    "decode_message",
    "decode_request",
    "encode",
]

PROTOCOL_VERSION = 2
# The longest message. A launch spec with all that Linux takes (2 MiB of argv and env) fits easily.
MAX_MESSAGE_BYTES = 8 * 1024 * 1024

# The longest wait for more output. A reader that has gone costs nothing afterwards.
MAX_WAIT_S = 30.0

# `\Z`, because `$` also matches before a final newline.
InstanceId = Annotated[str, msgspec.Meta(pattern=ID_PATTERN.removesuffix("$") + r"\Z")]
TemplateTarget = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*\Z")]
Seconds = Annotated[float, msgspec.Meta(ge=0)]
Listen = Literal["fd", "port", "uds"]
Stream = Literal["stdout", "stderr"]


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an instance and its tree may use at most; None: as much as there is.

    `cpu_weight` is its share of the CPU beside others where there is not enough for all; 100 is the usual one.
    """

    memory_bytes: Annotated[int, msgspec.Meta(ge=1)] | None = None
    processes: Annotated[int, msgspec.Meta(ge=1)] | None = None
    open_files: Annotated[int, msgspec.Meta(ge=1)] | None = None
    cpu_weight: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None


class Enforcement(msgspec.Struct, frozen=True, omit_defaults=True):
    """What holds a limit on this machine; `note` says where that is less than what one would expect."""

    limit: int
    by: Literal["cgroup", "rlimit", "nice", "nothing"]
    note: str = ""


class LaunchSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to start one instance.

    `secrets` names the variables in `env` whose values are hidden in what the instance says.

    In the items of `argv`, `{host}`, `{port}`, `{fd}` and `{uds}` are replaced; other braces stay. `env` is complete:
    nothing is inherited, and the launcher adds ARP_LAUNCHER_ID and ARP_INSTANCE_ID.

    `listen="fd"`: the launcher binds `host` at a free port and passes the listening socket as fd 3.
    `listen="port"`: it picks a port that is free at that moment. `listen="uds"`: it picks a path in a new folder,
    which is the user's alone and goes with the instance. None: the instance listens on nothing.

    `template="module:function"` forks a warm process that has imported the function already, instead of
    executing a program; `argv` is then what the function finds in `sys.argv`.

    `cwd` is an absolute path, by default `/`. `user` is the name or number of the user that it runs as, by default
    the launcher's own; only root may start processes of others. `stop_grace_s` is for stops that name no grace: the
    lease's end and a SIGTERM to the launcher.
    """

    instance_id: InstanceId
    argv: Annotated[list[str], msgspec.Meta(min_length=1)]
    env: dict[str, str]
    cwd: str | None = None
    template: TemplateTarget | None = None
    listen: Listen | None = None
    host: str = "127.0.0.1"
    user: str | None = None
    limits: Limits = Limits()
    secrets: list[str] = []
    stop_grace_s: Seconds = 5.0


class Launched(msgspec.Struct, frozen=True, kw_only=True):
    """A started instance: who it is, and where it listens (or, with a picked port, shall listen).

    `limits` says what holds each limit that it was given, by its name in `Limits`.
    """

    instance_id: str
    pid: int
    start_time: int
    boot_id: str
    host: str | None = None
    port: int | None = None
    path: str | None = None
    listen: Listen | None = None
    limits: dict[str, Enforcement] = {}

    @property
    def identity(self) -> ProcessIdentity:
        """The name of the instance's root process."""
        return ProcessIdentity(self.pid, self.start_time, self.boot_id)


class Exited(msgspec.Struct, frozen=True, kw_only=True, tag="exited", tag_field="type"):
    """An instance has ended, and nothing of its tree is left. Either `exit_code` or `signal` is set.

    `hits` names the limits that its control group saw hit: `memory` (something was killed) and `processes`.
    """

    instance_id: str
    exit_code: int | None = None
    signal: int | None = None
    hits: list[str] = []
    stderr_tail: str = ""


class InstanceRecord(msgspec.Struct, frozen=True):
    """What the launcher knows of an instance, live (`exited` is None) or ended."""

    launched: Launched
    exited: Exited | None = None


class _Request(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    id: int


class Launch(_Request, frozen=True, tag="launch"):
    """Start an instance. Answer: Launched."""

    spec: LaunchSpec


class Stop(_Request, frozen=True, tag="stop"):
    """End an instance and its tree; SIGKILL after `grace_s` (None: as its spec says). Answer: Exited."""

    instance_id: str
    grace_s: Seconds | None = None


class Signal(_Request, frozen=True, tag="signal"):
    """Signal an instance's root. Answer: null."""

    instance_id: str
    signum: Annotated[int, msgspec.Meta(ge=1, le=64)]


class ListInstances(_Request, frozen=True, tag="list"):
    """Name all live instances and those that ended last. Answer: list of InstanceRecord."""


class Tail(_Request, frozen=True, tag="tail"):
    """Read the last lines of an instance's output, while it lives and after. Answer: str."""

    instance_id: InstanceId
    stream: Stream
    lines: Annotated[int, msgspec.Meta(ge=0)]


class ReadLog(_Request, frozen=True, tag="read_log"):
    """Read an instance's output from `position`, None: from its last `lines` lines. Answer: LogPiece.

    Where nothing is there yet, it is waited for, `wait_s` at most.
    """

    instance_id: InstanceId
    stream: Stream
    position: Annotated[int, msgspec.Meta(ge=0)] | None = None
    lines: Annotated[int, msgspec.Meta(ge=0)] = 0
    wait_s: Annotated[float, msgspec.Meta(ge=0, le=MAX_WAIT_S)] = 0.0


class LogPiece(msgspec.Struct, frozen=True, kw_only=True):
    """At most 64 KiB of output, the position behind it, and the end of the log at this moment.

    `lost` bytes before it are not kept any more. `ended`: the instance has ended, and `end` is the last.
    """

    data: bytes
    position: int
    end: int
    lost: int = 0
    ended: bool = False


class Shutdown(_Request, frozen=True, tag="shutdown"):
    """Stop all instances in parallel, answer null, and end the launcher."""

    grace_s: Seconds | None = None


Request = Launch | Stop | Signal | ListInstances | Tail | ReadLog | Shutdown


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello", tag_field="type"):
    """The launcher's first words on every connection."""

    launcher_id: str
    pid: int
    protocol: int = PROTOCOL_VERSION


class Answer(msgspec.Struct, frozen=True, kw_only=True, tag="answer", tag_field="type"):
    """A request was done."""

    id: int
    result: msgspec.Raw = msgspec.Raw(b"null")


class Failure(msgspec.Struct, frozen=True, kw_only=True, tag="failure", tag_field="type"):
    """A request failed; `code` is one of `arp_daemon.launcher.errors`."""

    id: int
    code: str
    message: str
    stderr_tail: str = ""


Message = Hello | Answer | Failure | Exited

_encoder = msgspec.json.Encoder()
_request_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_message_decoder: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)


def encode(value: Any) -> bytes:
    """Return one line."""
    return _encoder.encode(value) + b"\n"


def decode_request(line: bytes) -> Request:
    """Return the request on this line.

    Raises:
        msgspec.DecodeError: it is none, or breaks a bound.
    """
    return _request_decoder.decode(line)


def decode_message(line: bytes) -> Message:
    """Return the launcher's message on this line.

    Raises:
        msgspec.DecodeError: it is none.
    """
    return _message_decoder.decode(line)
