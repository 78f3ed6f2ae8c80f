"""Reading what somebody else's service wrote: unknown fields are left out instead of refused.

The strict way is tried first, so that what conforms costs nothing extra.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
from msgspec import inspect

from arp_model._base import convert, decode

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Hashable

T = TypeVar("T")

# How many unknown fields are told apart: their names are a stranger's.
MAX_UNKNOWN = 1000


def decode_lenient(data: bytes | str, type_: type[T], unknown: Counter[str] | None = None) -> T:
    """Decode JSON text as a `type_`, without its unknown fields. Raises `msgspec.DecodeError`.

    Where the rest makes a `type_`, each unknown field is counted in `unknown`, as `Type.field`.
    """
    try:
        return decode(data, type_)
    except msgspec.ValidationError:
        return convert_lenient(decode(data, object), type_, unknown)


def convert_lenient(src: Any, type_: type[T], unknown: Counter[str] | None = None) -> T:
    """Convert plain values to a `type_`, without their unknown fields. Raises `msgspec.ValidationError`.

    They are counted as by `decode_lenient`.
    """
    try:
        return convert(src, type_)
    except msgspec.ValidationError:
        found: list[str] = []
        result = convert(_known(src, _shape(cast("Hashable", type_)), found), type_)
    if unknown is not None:
        unknown.update(name for name in found if name in unknown or len(unknown) < MAX_UNKNOWN)
    return result


@cache
def _shape(type_: Hashable) -> inspect.Type:
    return inspect.type_info(type_)


def _known(value: Any, shape: inspect.Type, unknown: list[str]) -> Any:
    """Return `value` without the fields that `shape` does not have, which go to `unknown`.

    Our schemas have no unions to look into.
    """
    if isinstance(shape, inspect.StructType) and isinstance(value, dict):
        fields = {field.encode_name: field.type for field in shape.fields}
        unknown += [f"{shape.cls.__name__}.{name}" for name in value.keys() - fields.keys()]
        return {name: _known(item, fields[name], unknown) for name, item in value.items() if name in fields}
    if isinstance(shape, inspect.ListType) and isinstance(value, list):
        return [_known(item, shape.item_type, unknown) for item in value]
    return value
