"""Lists that come in pages, as one iterator: a page is asked for when it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict, TypeVar

import msgspec

from arp_sdk._async import AsyncClient
from arp_sdk._sync import SyncClient
from arp_sdk.errors import ArpResponseError
from arp_sdk.generated.daemon import (
    LIST_RUNS,
    LIST_RUNTIME_PROFILES,
    ListRunsRequest,
    ListRuntimeProfilesRequest,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator
    from datetime import datetime

    from typing_extensions import Unpack

    from arp_model import Pagination, RunState, RunStatus, RuntimeProfile, UnsetType

R = TypeVar("R", ListRunsRequest, ListRuntimeProfilesRequest)


class RunFilter(TypedDict, total=False):
    """Which runs are meant: those that fit all that is given."""

    state: list[RunState] | None
    runtime_profile: str | None
    label: list[str] | None
    """As `NAME=VALUE`; all of them must fit."""
    created_after: datetime | None
    created_before: datetime | None


class SyncPages(SyncClient):
    """A blocking client that reads lists to their end."""

    def iter_runs(self, *, page_size: int | None = None, **only: Unpack[RunFilter]) -> Generator[RunStatus, None, None]:
        """Yield the runs that fit, newest first. Those submitted meanwhile do not disturb it, and are not among them.

        Takes what `list_runs` takes, but for the page token; `page_size` is how many are asked for at a time.
        """
        request: ListRunsRequest | None = ListRunsRequest(page_size=page_size, **only)
        while request is not None:
            page = self._call(LIST_RUNS, request)
            yield from page.runs
            request = next_request(request, page.pagination)

    def iter_runtime_profiles(self, *, page_size: int | None = None) -> Generator[RuntimeProfile, None, None]:
        """Yield all runtime profiles. `page_size` is how many are asked for at a time."""
        request: ListRuntimeProfilesRequest | None = ListRuntimeProfilesRequest(page_size)
        while request is not None:
            page = self._call(LIST_RUNTIME_PROFILES, request)
            yield from page.profiles
            request = next_request(request, page.pagination)


class AsyncPages(AsyncClient):
    """An async client that reads lists to their end."""

    async def iter_runs(
        self, *, page_size: int | None = None, **only: Unpack[RunFilter]
    ) -> AsyncGenerator[RunStatus, None]:
        """Yield the runs that fit, newest first. Those submitted meanwhile do not disturb it, and are not among them.

        Takes what `list_runs` takes, but for the page token; `page_size` is how many are asked for at a time.
        """
        request: ListRunsRequest | None = ListRunsRequest(page_size=page_size, **only)
        while request is not None:
            page = await self._call(LIST_RUNS, request)
            for run in page.runs:
                yield run
            request = next_request(request, page.pagination)

    async def iter_runtime_profiles(self, *, page_size: int | None = None) -> AsyncGenerator[RuntimeProfile, None]:
        """Yield all runtime profiles. `page_size` is how many are asked for at a time."""
        request: ListRuntimeProfilesRequest | None = ListRuntimeProfilesRequest(page_size)
        while request is not None:
            page = await self._call(LIST_RUNTIME_PROFILES, request)
            for profile in page.profiles:
                yield profile
            request = next_request(request, page.pagination)


def next_request(request: R, pagination: Pagination | UnsetType) -> R | None:
    """Return the request for the next page; None after the last. Raises ArpResponseError for a list without an end."""
    token = pagination.next_page_token if pagination else None
    if not token:
        return None
    if token == request.page_token:
        raise ArpResponseError("invalid_response", "The list goes in a circle: a page names itself as the next.")
    return msgspec.structs.replace(request, page_token=token)
