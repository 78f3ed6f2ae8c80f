"""Where the types deliberately do otherwise than JSON Schema says. Data for the tests beside it."""

from __future__ import annotations

from typing import NamedTuple

# Formats that the types do not look at, and why.
UNCHECKED_FORMATS = {
    "uri": "JSON Schema makes `format` a note. Whoever calls an address has to look at more than its form: the daemon "
    "refuses what it would not call, with a code of its own."
}


class Difference(NamedTuple):
    """A document that schema and type judge differently."""

    schema: str
    json: str
    why: str


_TIME = '{"run_id": "r", "state": "queued", "started_at": "%s"}'
_STATUS, _REQUEST = "runtime/runs/run_status.schema.json", "runtime/runs/run_request.schema.json"
_LIMIT = '{"input": {"goal": "x"}, "limits": {"timeout_ms": %s}}'
_DATA = '{"input": {"goal": "x", "data": {"value": %s}}}'
_FRACTION = "To JSON Schema it is an integer. Nobody's library writes an integer so, and ours are read exactly."

# The schema allows it, the type does not.
REFUSED = [
    Difference(_REQUEST, _LIMIT % "1.0", _FRACTION),
    Difference(_REQUEST, _LIMIT % "1e3", _FRACTION),
    Difference(_REQUEST, _DATA % "1e400", "It is no double, and would become infinity, which JSON cannot say."),
]
# The type allows it, the schema does not.
TAKEN = [
    Difference(_STATUS, _TIME % "2025-06-01 12:00:00Z", "RFC 3339 lets applications write a space for the T."),
    Difference(_STATUS, _TIME % "2025-06-01T12:00:00+0200", "The short offset of ISO 8601 can mean one thing only."),
]


class Respelling(NamedTuple):
    """A document that is taken, and written in another way that means the same, or nearly."""

    schema: str
    json: str
    written: str
    why: str


_TIMES = "A time is a number of microseconds and an offset; the spelling is not kept."
_DOUBLES = "A number with a point or an exponent is a double; the spelling is not kept."

RESPELLINGS = [
    Respelling(_STATUS, _TIME % "2025-06-01T12:00:00+00:00", _TIME % "2025-06-01T12:00:00Z", _TIMES),
    Respelling(_STATUS, _TIME % "2025-06-01T12:00:00-00:00", _TIME % "2025-06-01T12:00:00Z", _TIMES),
    Respelling(_STATUS, _TIME % "2025-06-01t12:00:00z", _TIME % "2025-06-01T12:00:00Z", _TIMES),
    Respelling(_STATUS, _TIME % "2025-06-01T12:00:00.5Z", _TIME % "2025-06-01T12:00:00.500000Z", _TIMES),
    Respelling(_STATUS, _TIME % "2025-06-01T12:00:00.000000Z", _TIME % "2025-06-01T12:00:00Z", _TIMES),
    Respelling(_STATUS, _TIME % "2025-06-01T12:00:00.1234567Z", _TIME % "2025-06-01T12:00:00.123457Z", _TIMES),
    Respelling(_REQUEST, _DATA % "1E2", _DATA % "100.0", _DOUBLES),
    Respelling(_REQUEST, _DATA % "0.10000000000000000001", _DATA % "0.1", _DOUBLES),
    Respelling(_REQUEST, _DATA % "1e-400", _DATA % "0.0", _DOUBLES),
    Respelling(_REQUEST, _LIMIT % "-0", _LIMIT % "0", "An integer has no negative zero."),
]
