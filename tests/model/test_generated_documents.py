"""Documents that nobody thought of: made up from the schemas, and then damaged at random."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.spec import SCHEMAS
from contracts.vectors import strict_validator
from model.differences import UNCHECKED_FORMATS
from model.documents import ANY_JSON, documents
from model.wire import canonical, from_json, from_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

# The same documents each time, so that a failure is there again.
_SETTINGS = settings(max_examples=15, deadline=None, database=None, derandomize=True)


def places(node: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a document."""
    yield way
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in items:
        yield from places(value, (*way, key))


@st.composite
def damaged(draw: st.DrawFn, name: str) -> Any:
    """A document with one value, anywhere in it, that has become another one or has got a neighbour."""
    document = copy.deepcopy(draw(documents(name)))
    way = draw(st.sampled_from(list(places(document))))
    if not way:
        return draw(ANY_JSON)
    parent = document
    for step in way[:-1]:
        parent = parent[step]
    neighbour = draw(st.booleans()) and isinstance(parent, dict)
    parent[draw(st.text(max_size=8)) if neighbour else way[-1]] = draw(ANY_JSON)
    return document


def schema_allows(name: str, document: Any) -> bool:
    """What JSON Schema says, without what the types deliberately do not look at."""
    errors = strict_validator(name).iter_errors(document)
    return all(error.validator == "format" and error.validator_value in UNCHECKED_FORMATS for error in errors)


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_a_schema_allows_comes_back_as_it_was(name: str) -> None:
    """Whatever may be sent is taken, and given back equal, byte by byte once both are canonical."""

    @_SETTINGS
    @given(documents(name))
    def holds(document: Any) -> None:
        strict_validator(name).validate(document)
        text = canonical(document)
        assert canonical(msgspec.json.decode(msgspec.json.encode(from_json(name, text)))) == text
        assert canonical(msgspec.to_builtins(from_plain(name, document))) == text

    holds()


@pytest.mark.parametrize("name", SCHEMAS)
def test_schema_and_type_judge_damage_alike(name: str) -> None:
    """Whatever else is sent is refused by the type exactly where the schema refuses it."""

    @_SETTINGS
    @given(damaged(name))
    def holds(document: Any) -> None:
        allowed = schema_allows(name, document)
        for decode, sent in ((from_json, canonical(document)), (from_plain, document)):
            try:
                decode(name, sent)
            except msgspec.ValidationError:
                assert not allowed
            else:
                assert allowed

    holds()
