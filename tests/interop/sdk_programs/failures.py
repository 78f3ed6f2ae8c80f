"""Meets every kind of answer that is no success, and tells which error comes of it."""

from listener import Listener
from transcript import tell, tell_error

import arp_sdk
import arp_sdk.daemon
import arp_sdk.errors
import arp_sdk.runtime
import arp_sdk.tool_registry
from arp_sdk import ArpApiError
from arp_sdk.daemon import DaemonClient

places = [arp_sdk.errors, arp_sdk.daemon, arp_sdk.runtime, arp_sdk.tool_registry]
tell("one error everywhere", [place.ArpApiError is arp_sdk.ArpApiError for place in places])
tell("what it is", [issubclass(ArpApiError, RuntimeError), ArpApiError.__module__])

made = ArpApiError("a_code", "A message.")
tell("made of two", [str(made), made.code, made.message, made.details, made.status_code, made.raw])
made = ArpApiError(code="c", message="m", details={"a": 1}, status_code=404, raw={"error": {}})
tell("made of all", [str(made), made.code, made.message, made.details, made.status_code, made.raw])
tell_error("raised by hand", lambda: (_ for _ in ()).throw(made))
tell_error("made of one", lambda: ArpApiError("c"))
tell_error("made by place", lambda: ArpApiError("c", "m", {"a": 1}))

ERROR = {"code": "c", "message": "m"}
FULL = {
    **ERROR,
    "details": {"a": [1, None]},
    "retryable": True,
    "cause": {"code": "io", "message": "No disk.", "details": {"n": 1}},
    "extensions": {"com.example.n": 1},
}
with Listener({}) as listener:
    daemon = DaemonClient(base_url=listener.url)
    strict = DaemonClient(base_url=listener.url, raise_on_unexpected_status=True)
    for status in (400, 401, 403, 404, 409, 413, 422, 500):
        for what, envelope in {"least": {"error": ERROR}, "full": {"error": FULL, "extensions": {"a.b": {}}}}.items():
            listener.answers["GET /v1/runs/r"] = (status, envelope)
            tell_error(f"{status}, {what}", lambda: daemon.get_run_status("r"))
            tell_error(f"{status}, {what}, strictly", lambda: strict.get_run_status("r"))
        listener.answers["DELETE /v1/instances/i"] = (status, {"error": ERROR})
        tell_error(f"{status}, where no answer is expected", lambda: daemon.delete_instance("i"))
    for status in (429, 503):
        # Later releases may try these again, which takes a moment.
        listener.answers["GET /v1/runs/r"] = (status, {"error": FULL})
        tell_error(f"{status}, full", lambda: daemon.get_run_status("r"))
    odd = {
        "a success that is another": (201, {"run_id": "r", "state": "queued"}),
        "no envelope": (404, {"detail": "Not Found"}),
        "no object": (500, ["x"]),
        "no JSON": (502, b"<html>Bad gateway</html>"),
        "no body": (500, b""),
        "a success that is no JSON": (200, b"<html>Hello</html>"),
        "a success without what it must have": (200, {"run_id": "r"}),
        "a success with a word that is unknown": (200, {"run_id": "r", "state": "dreaming"}),
        "a success with a field that is unknown": (200, {"run_id": "r", "state": "queued", "new": 1}),
    }
    for what, answer in odd.items():
        listener.answers["GET /v1/runs/r"] = answer
        tell_error(what, lambda: daemon.get_run_status("r"))
    gone = DaemonClient(base_url=listener.url)
tell_error("nobody listens", gone.health)
