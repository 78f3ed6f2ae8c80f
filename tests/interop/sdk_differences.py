"""What a program for arp-standard-py 0.1.0 sees otherwise with our SDK, on purpose: by program, the fact and why."""

from __future__ import annotations

_ERRORS = "0.1.0 lets a KeyError or a ValueError of its decoder out; here every failed call is an ArpApiError."
_STRICT = "What is made from a dict is held against the contract; 0.1.0 takes what it knows, and raises a KeyError."
_RAW = "`raw_client` is the httpx client that sends the calls, whatever it was made from."
_IN_USE = "`with_headers` returns another client, and leaves the one that it is called on as it is; 0.1.0 changes both."
_COUNT = "0.1.0 sends the schema's default as if it had been given; here what is absent stays absent. Both mean one."

DIFFERENCES: dict[str, dict[str, str]] = {
    "documents": {
        "a free object that is empty": "Objects without a schema are dicts here; in 0.1.0 they are classes like dicts.",
        "a result made by place": "Fields are in the order of the contract; 0.1.0 had sorted them.",
        "a missing field": _STRICT,
        "an unknown field": _STRICT,
        "an instance request of one": _COUNT,
    },
    "low_level_clients": {
        **{f"{facade}: raw_client": _RAW for facade in ("daemon", "runtime", "tool_registry")},
        **{f"{facade}: with_headers on one in use": _IN_USE for facade in ("daemon", "runtime", "tool_registry")},
    },
    "requests_sent": {"daemon.create_instances, the default: heard": _COUNT},
    "failures": {
        "a success that is another": "A success is read as one; 0.1.0 takes it for an error and fails to read it.",
        "no envelope": _ERRORS,
        "no object": _ERRORS,
        "no JSON": _ERRORS,
        "no body": _ERRORS,
        "a success that is no JSON": _ERRORS,
        "a success without what it must have": _ERRORS,
        "a success with a word that is unknown": _ERRORS,
        "nobody listens": "0.1.0 lets httpx's errors out; here they are in the one tree, under ArpApiError.",
    },
}
