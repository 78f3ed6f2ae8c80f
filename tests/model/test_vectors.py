"""The types take and refuse exactly what the golden vectors say, and give back what they took."""

from __future__ import annotations

import json
import re

import msgspec
import pytest

from contracts.vectors import VECTORS, Vector, invalid, strict_validator, valid
from model.differences import REFUSED, RESPELLINGS, TAKEN, UNCHECKED_FORMATS, Difference, Respelling
from model.wire import canonical, from_json, from_plain


def refused_by_type(name: str) -> list[Vector]:
    """The invalid vectors without those that break nothing but a format which the types do not look at."""
    return [vector for vector in invalid(name) if not breaks_unchecked_format(name, vector)]


def breaks_unchecked_format(name: str, vector: Vector) -> bool:
    """Whether a format that the types do not look at is all that forbids a document."""
    errors = list(strict_validator(name).iter_errors(vector.document))
    return all(error.validator == "format" and error.validator_value in UNCHECKED_FORMATS for error in errors)


def place_named(refusal: msgspec.ValidationError) -> str:
    """The place in a document that the types say they refuse."""
    found = re.search(r"at (?:`key` in )?`([^`]+)`$", str(refusal))
    return found[1] if found else "$"


def without_keys_of_maps(path: str) -> str:
    """A JSON path as the types write it, who do not tell the key of a value in a map: in the vectors, `key`."""
    return re.sub(r"\.key$", "[...]", path)


@pytest.mark.parametrize("name", VECTORS)
def test_a_valid_vector_comes_back_as_it_was(name: str) -> None:
    """Decoded and encoded again it is equal, byte by byte once both are canonical."""
    for vector in valid(name):
        text = canonical(vector.document)
        assert canonical(json.loads(msgspec.json.encode(from_json(name, text)))) == text, vector.why
        assert canonical(msgspec.to_builtins(from_plain(name, vector.document))) == text, vector.why


@pytest.mark.parametrize("name", VECTORS)
def test_an_invalid_vector_is_refused_and_its_place_is_named(name: str) -> None:
    """As JSON and as plain values alike, with the place that the vector says."""
    for vector in refused_by_type(name):
        with pytest.raises(msgspec.ValidationError) as refusal:
            from_json(name, json.dumps(vector.document))
        assert place_named(refusal.value) == without_keys_of_maps(vector.at), vector
        with pytest.raises(msgspec.ValidationError) as refusal:
            from_plain(name, vector.document)
        assert place_named(refusal.value) == without_keys_of_maps(vector.at), vector


@pytest.mark.parametrize("name", VECTORS)
def test_a_format_that_is_not_checked_is_taken(name: str) -> None:
    """What is left out of the test above is no gap that nobody knows."""
    for vector in invalid(name):
        if breaks_unchecked_format(name, vector):
            from_json(name, json.dumps(vector.document))
            from_plain(name, vector.document)


@pytest.mark.parametrize("difference", REFUSED, ids=lambda difference: difference.json[-40:])
def test_what_is_refused_beyond_the_schema_is_known(difference: Difference) -> None:
    """The schema allows it, and the type does not, for the reason that is written there."""
    strict_validator(difference.schema).validate(json.loads(difference.json))
    with pytest.raises(msgspec.ValidationError):
        from_json(difference.schema, difference.json)


@pytest.mark.parametrize("difference", TAKEN, ids=lambda difference: difference.json[-40:])
def test_what_is_taken_beyond_the_schema_is_known(difference: Difference) -> None:
    """The schema forbids it, and the type takes it, for the reason that is written there."""
    assert not strict_validator(difference.schema).is_valid(json.loads(difference.json))
    from_json(difference.schema, difference.json)


@pytest.mark.parametrize("respelling", RESPELLINGS, ids=lambda respelling: respelling.json[-40:])
def test_a_known_respelling_is_what_is_written(respelling: Respelling) -> None:
    """The types write it in one way, which they take and give back unchanged."""
    written = canonical(json.loads(msgspec.json.encode(from_json(respelling.schema, respelling.json))))
    assert written == canonical(json.loads(respelling.written))
    again = msgspec.json.encode(from_json(respelling.schema, respelling.written))
    assert canonical(json.loads(again)) == written
