"""Every answer of a service, whatever it was asked for, held against the OpenAPI document of its kind.

So what the standard says of all answers is checked on all of them, and not only where a check thinks of it: no success
but the declared one, no body outside of its schema, and an ErrorEnvelope for everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conformance.exchange import Exchange, exchange_of, read_json
from conformance.operations import Operation, answer_schema, find_operation
from conformance.patience import STREAMED
from conformance.requirements import load_requirements
from conformance.schemas import find_faults

if TYPE_CHECKING:
    import httpx

_JSON = "application/json"


class Violation(NamedTuple):
    """An answer that breaks the contract, and the requirement that says so."""

    requirement: str
    message: str
    exchange: Exchange


class Contract:
    """Looks at all answers of one service."""

    def __init__(self, kind: str, secrets: tuple[str, ...] = ()) -> None:
        self._kind = kind
        self._secrets = secrets
        self._requirements = {
            operation: requirement.id
            for requirement in load_requirements()
            if kind in requirement.services
            for operation in requirement.operations
        }
        self._violations: list[Violation] = []
        self.last: Exchange | None = None

    def look(self, response: httpx.Response) -> None:
        """Take note of an answer. (An event hook of httpx: the body has not been read yet.)"""
        if not _media_type(response).startswith(STREAMED) or not response.is_success:
            response.read()
        self.last = exchange_of(response, self._secrets)
        operation = find_operation(self._kind, response.request.method, response.request.url.path)
        if not response.is_success:
            self._look_at_error(operation, response)
        elif operation is not None:
            self._look_at_success(operation, response)

    def begin(self) -> None:
        """A check begins: what was asked before has nothing to do with it."""
        self.last = None

    def requirement_of(self, operation: str) -> str:
        """The requirement that speaks of the successes of an operation, by its operationId."""
        return self._requirements[operation]

    def take_violations(self) -> list[Violation]:
        """Return those since the last call."""
        taken, self._violations = self._violations, []
        return taken

    def _look_at_success(self, operation: Operation, response: httpx.Response) -> None:
        status, media_type = str(response.status_code), _media_type(response)
        declared = [code for code in operation.responses if code.startswith("2")]
        if status not in declared:
            self._note(self._requirements[operation.id], f"a success of {operation.id} is {' or '.join(declared)}")
            return
        content = operation.responses[status].get("content", {})
        if content and media_type not in content:
            self._note(self._requirements[operation.id], f"{operation.id} answers with {' or '.join(content)}")
            return
        schema = answer_schema(operation, status, media_type)
        faults = _faults_of(response, schema) if schema else ""
        if faults:
            self._note(self._requirements[operation.id], f"{operation.id} answers with a valid {schema}; {faults}")

    def _look_at_error(self, operation: Operation | None, response: httpx.Response) -> None:
        # Of what it does not describe, the standard says nothing.
        described = operation is not None and not operation.addition
        requirement = "errors.envelope" if described else "errors.everywhere"
        expected = f"an error of {operation.id if operation else 'any path'} is an ErrorEnvelope"
        if _media_type(response) != _JSON:
            self._note(requirement, f"{expected}, as {_JSON}")
            return
        faults = _faults_of(response, "common/error")
        if faults:
            self._note(requirement, f"{expected}; {faults}")
        if response.status_code == 401 and "www-authenticate" not in response.headers:
            self._note("auth.challenge", "a 401 says in WWW-Authenticate how to authenticate")

    def _note(self, requirement: str, message: str) -> None:
        assert self.last is not None
        self._violations.append(Violation(requirement, message, self.last))


def _media_type(response: httpx.Response) -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()


def _faults_of(response: httpx.Response, schema: str) -> str:
    try:
        document = read_json(response)
    except ValueError as exc:
        return f"it is no JSON: {exc}"
    return find_faults(document, schema)
