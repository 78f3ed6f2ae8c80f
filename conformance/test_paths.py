"""Paths and methods that there are, and that there are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conformance.judgement import NotMetError
from conformance.service import Service, read_error

if TYPE_CHECKING:
    from collections.abc import Collection

    from conformance.operations import ServedPath


@pytest.mark.requirement("errors.wrong_method")
def test_a_method_that_a_path_does_not_have_is_refused(service: Service, served: ServedPath) -> None:
    """The answer lists the methods that the contract has there, so each of them is served."""
    for method in served.other_methods:
        response = service.http.request(method, served.path)
        read_error(response, 405, "method_not_allowed")
        allowed = {name.strip() for name in response.headers.get("allow", "").split(",")} - {"", "HEAD"}
        if allowed != served.methods:
            raise NotMetError(f"`Allow` lists {_listed(served.methods)}, not {_listed(allowed)}")


def _listed(methods: Collection[str]) -> str:
    return ", ".join(sorted(methods)) or "nothing"


@pytest.mark.requirement("errors.everywhere")
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_what_nobody_knows_is_an_error_envelope(service: Service, method: str) -> None:
    """Whatever the path, the answer is an error. (The contract looks at its body.)"""
    assert service.http.request(method, "/v1/nobody/knows").is_client_error


@pytest.mark.requirement("errors.unknown_path")
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "path",
    ["/", "/v1", "/v1/", "/v2/health", "/v1/runs/", "/v1/runs/x/", "/v1/runs/x/y", "/v1/runs/x:y", "/v1/runs:x"],
)
def test_a_path_where_nothing_is_served_is_not_found(service: Service, path: str, method: str) -> None:
    """No path but the contract's own; not even with a slash at its end."""
    response = service.http.request(method, path)
    assert not response.has_redirect_location, "it leads nowhere else"
    read_error(response, 404, "not_found")


@pytest.mark.requirement("ids.form")
@pytest.mark.parametrize("id_", ["a..b", "-x", "%20", "%C3%A9", "x" * 129, "%00", ".hidden"])
def test_a_path_with_what_is_no_id_is_refused(service: Service, id_: str) -> None:
    """Such a run cannot exist: that is told as 400, or as the 404 of a run that does not."""
    response = service.http.get(f"/v1/runs/{id_}")
    assert response.status_code in {400, 404}
    read_error(response, response.status_code, {400: "invalid_request", 404: "run_not_found"}[response.status_code])
