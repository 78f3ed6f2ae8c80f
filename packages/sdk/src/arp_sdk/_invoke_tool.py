"""The request object of `invoke_tool`, whose fields are the body's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from arp_model import UNSET, ResourceRef, ToolInvocationRequest
from arp_sdk.errors import ArpRequestError

if TYPE_CHECKING:
    from typing_extensions import Self


class InvokeToolRequest(msgspec.Struct):
    """Calls a tool, named by `tool_id`, by `tool_name`, or by both. Raises ValueError where it has neither."""

    invocation_id: str
    args: dict[str, Any]
    tool_id: str | None = None
    tool_name: str | None = None
    context: dict[str, Any] | None = None
    caller: ResourceRef | dict[str, Any] | None = None
    extensions: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if self.tool_id is None and self.tool_name is None:
            raise ValueError("give tool_id or tool_name: a call of no tool cannot be sent")

    @classmethod
    def of(cls, request: InvokeToolRequest | ToolInvocationRequest) -> Self:
        """Return the request as one of this class."""
        values = {name: getattr(request, name) for name in cls.__struct_fields__}
        return cls(**{name: value for name, value in values.items() if value is not UNSET})

    @property
    def body(self) -> ToolInvocationRequest:
        """The body as a model. Raises ArpRequestError where the contract does not allow it."""
        try:
            return ToolInvocationRequest.from_dict(self.to_body())
        except msgspec.ValidationError as exc:
            raise ArpRequestError("invalid_request", f"ToolInvocationRequest cannot be sent: {exc}") from exc

    def to_body(self) -> dict[str, Any]:
        """Return the body as plain values; what is None is absent."""
        values = {name: getattr(self, name) for name in self.__struct_fields__}
        if isinstance(self.caller, ResourceRef):
            values["caller"] = self.caller.to_dict()
        return {name: value for name, value in values.items() if value is not None}
