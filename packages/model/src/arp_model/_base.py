"""What every wire type is made of. The types themselves are generated, into `arp_model.generated`."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from datetime import datetime
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

    from typing_extensions import Self

T = TypeVar("T")

AwareDatetime = Annotated[datetime, msgspec.Meta(tz=True)]

_ENCODER = msgspec.json.Encoder()


class WireEnum(str, Enum):
    """A word from a fixed list. Prints as the word itself, on every version of Python."""

    __hash__ = str.__hash__  # equal to the word, and not hashed by Python code as Enum's are
    __str__ = str.__str__
    __format__ = str.__format__  # type: ignore[assignment]  # Enum widens it to object


class Model(msgspec.Struct, forbid_unknown_fields=True, repr_omit_defaults=True):
    """A document of the ARP Standard.

    Decoding is strict: unknown fields, wrong types and values out of bounds raise `msgspec.ValidationError`,
    whose message names the place (`$.input.goal`). What is not JSON raises its base, `msgspec.DecodeError`.
    A field that is absent is `UNSET`, and stays absent when encoded. Constructing checks no types and bounds.
    """

    @classmethod
    def from_dict(cls, src: Mapping[str, Any]) -> Self:
        """Make one from plain dicts, lists and scalars, uncoerced. Raises `msgspec.ValidationError`."""
        return convert(src, cls)

    @classmethod
    def from_json(cls, data: bytes | str) -> Self:
        """Make one from JSON text. Raises `msgspec.DecodeError`."""
        return decode(data, cls)

    def to_dict(self) -> dict[str, Any]:
        """Return plain dicts, lists and scalars; times become RFC 3339 text."""
        result: dict[str, Any] = msgspec.to_builtins(self)
        return result

    def to_json(self) -> bytes:
        """Return JSON text in UTF-8."""
        return _ENCODER.encode(self)


class TakesInput(msgspec.StructMeta):
    """Makes types whose constructor takes `input`, the wire's word for it, beside `input_`."""

    def __call__(cls, *args: Any, **fields: Any) -> Any:  # noqa: N805 - it is a class that is called
        if "input" in fields:
            if "input_" in fields:
                raise TypeError(f"{cls.__name__}() takes input or input_, which are the same, and not both")
            fields["input_"] = fields.pop("input")
        return super().__call__(*args, **fields)


def decode(data: bytes | str, type_: type[T]) -> T:
    """Decode JSON text as a `type_`, strictly. Raises `msgspec.DecodeError` for anything that is not one."""
    try:
        result: T = _decoder(cast("Hashable", type_)).decode(data)
    except RecursionError:
        raise msgspec.DecodeError("JSON is nested too deeply") from None
    except (UnicodeDecodeError, UnicodeEncodeError) as exc:
        raise msgspec.DecodeError(f"JSON is not valid UTF-8: {exc.reason}") from None
    return result


def convert(src: Any, type_: type[T]) -> T:
    """Convert plain values to a `type_`, strictly. Raises `msgspec.ValidationError`."""
    try:
        return msgspec.convert(src, type_)
    except RecursionError:
        raise msgspec.ValidationError("Value is nested too deeply") from None


@cache
def _decoder(type_: Hashable) -> msgspec.json.Decoder[Any]:
    with _interrupts_put_off():
        return msgspec.json.Decoder(cast("Any", type_))


@contextmanager
def _interrupts_put_off() -> Iterator[None]:
    """Have Ctrl-C wait: while msgspec looks at a type for the first time it drops whatever Python code raises there."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def require_any_of(model: Model, *names: str) -> None:
    """Raise ValueError unless one of the fields is given. Called by types whose schema says `anyOf`."""
    if _given(model, names) == 0:
        raise ValueError(f"Object missing one of the fields {_quoted(names)}")


def require_one_of(model: Model, *names: str) -> None:
    """Raise ValueError unless exactly one field is given. Called by types whose schema says `oneOf`."""
    if _given(model, names) != 1:
        raise ValueError(f"Object must have exactly one of the fields {_quoted(names)}")


def _given(model: Model, names: tuple[str, ...]) -> int:
    count = 0
    for name in names:  # each document of the type is asked: a generator would take four times as long
        if getattr(model, name) is not msgspec.UNSET:
            count += 1
    return count


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
