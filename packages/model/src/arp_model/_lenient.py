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
    from collections.abc import Hashable

T = TypeVar("T")


def decode_lenient(data: bytes | str, type_: type[T]) -> T:
    """Decode JSON text as a `type_`, without its unknown fields. Raises `msgspec.DecodeError`."""
    try:
        return decode(data, type_)
    except msgspec.ValidationError:
        return convert(_known(decode(data, object), _shape(cast("Hashable", type_))), type_)


def convert_lenient(src: Any, type_: type[T]) -> T:
    """Convert plain values to a `type_`, without their unknown fields. Raises `msgspec.ValidationError`."""
    try:
        return convert(src, type_)
    except msgspec.ValidationError:
        return convert(_known(src, _shape(cast("Hashable", type_))), type_)


@cache
def _shape(type_: Hashable) -> inspect.Type:
    return inspect.type_info(type_)


def _known(value: Any, shape: inspect.Type) -> Any:
    """Return `value` without the fields that `shape` does not have. Our schemas have no unions to look into."""
    if isinstance(shape, inspect.StructType) and isinstance(value, dict):
        fields = {field.encode_name: field.type for field in shape.fields}
        return {name: _known(item, fields[name]) for name, item in value.items() if name in fields}
    if isinstance(shape, inspect.ListType) and isinstance(value, list):
        return [_known(item, shape.item_type) for item in value]
    return value
