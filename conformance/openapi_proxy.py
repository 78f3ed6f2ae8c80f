"""Loaded by Schemathesis in place of `openapi_hooks`, where requests come as through a proxy: the token is needed then.

The document says that the token is optional, because it cannot say for whom it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import schemathesis

import conformance.openapi_hooks  # noqa: F401 - its hooks hold here too

if TYPE_CHECKING:
    from schemathesis import HookContext


@schemathesis.hook
def before_load_schema(_context: HookContext, raw_schema: dict[str, Any]) -> None:
    """Take out that nothing is needed as well."""
    raw_schema["security"] = [needed for needed in raw_schema["security"] if needed]
