"""Text from a server on its way to a terminal: text, and nothing that the terminal would obey."""

from __future__ import annotations

import re
from typing import Any

import msgspec

# ECMA-48: control sequences (ESC [ ... final), strings (ESC ] ... BEL or ESC \) and other escapes, in 7 and 8 bits.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[P\]X^_]|[\x90\x9d\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]"
)
_LINE_END = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
# Controls, and the marks that make a terminal show text in another order than it has.
_OBEYED = r"\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069"
_CONTROL = re.compile(rf"[\x00-\x08\x0b-\x1f{_OBEYED}]")
_CONTROL_IN_JSON = re.compile(rf"[{_OBEYED}]")
# Longer texts are cut where a line is meant to be read, not to be kept; --json has all of them.
_MAX_LINE = 500


def clean(text: str) -> str:
    """Return the text without terminal control characters; line ends and tabs stay, all lines end in `\\n`."""
    return _CONTROL.sub("", _LINE_END.sub("\n", _SEQUENCE.sub("", text)))


def one_line(text: str) -> str:
    """Return the text clean, on one line, and cut where it is very long."""
    line = " ".join(clean(text).split("\n"))
    if len(line) <= _MAX_LINE:
        return line
    return f"{line[:_MAX_LINE]}… ({len(line)} characters)"


def compact(value: Any) -> str:
    """A JSON value on one line, for people."""
    return one_line(msgspec.json.encode(value).decode())


def json_text(value: Any, *, indent: int = 0) -> str:
    """A value as JSON, with `indent` 0 on one line. Parses to the same value, whatever a terminal is made of."""
    encoded = msgspec.json.encode(value)
    if indent:
        encoded = msgspec.json.format(encoded, indent=indent)
    return _CONTROL_IN_JSON.sub(lambda match: f"\\u{ord(match[0]):04x}", encoded.decode())
