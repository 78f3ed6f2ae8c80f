"""How deep JSON nests is told from its brackets, whatever stands in its strings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_service.body import MAX_DEPTH, nests_too_deep

_TRICKY = st.text(alphabet='\\"[]{}n\n', max_size=8)


@given(texts=st.lists(_TRICKY, max_size=6), depth=st.integers(MAX_DEPTH - 3, MAX_DEPTH + 3), data=st.data())
def test_brackets_in_strings_do_not_count(texts: list[str], depth: int, data: st.DataObject) -> None:
    """A document is too deep exactly where its arrays and objects are, with any text between them."""
    document: Any = []
    for level in range(depth - 1):
        text = texts[level % len(texts)] if texts else ""
        document = [text, document] if data.draw(st.booleans()) else {text: 1, f"{text}x": document}
    assert nests_too_deep(json.dumps(document).encode()) is (depth > MAX_DEPTH)


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b"{" * 300, b'{"a":' * 300 + b"}" * 300, b"[" * 257 + b'"' + b"]" * 257]
)
def test_what_is_no_json_is_told_by_its_brackets_too(text: bytes) -> None:
    """So that no decoder is asked to go that deep."""
    assert nests_too_deep(text)
