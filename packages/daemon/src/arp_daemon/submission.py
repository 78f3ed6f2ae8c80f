"""Runs on their way in: placed, stored together, and begun or queued; or recognized.

One run or a thousand, it takes the same steps: each gets a place in the queue, or is refused one, and those with a
place are stored in one transaction, claimed already where an instance has a slot for them. What is not taken by that,
because its id or key is taken, or for want of a place, may be there already: only then it is looked for. Sent again, a
run is the one that is there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio.lowlevel
from msgspec import UNSET
from msgspec.structs import replace

from arp_daemon.admission import Places
from arp_daemon.durable import whole
from arp_daemon.errors import IdempotencyKeyConflictError
from arp_daemon.selector import read_selector
from arp_daemon.store import NewRun
from arp_model import RunRequest, RunStatus
from arp_service.errors import RunConflictError, ServiceError
from arp_service.ids import check_id, new_id
from arp_service.info import utc_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arp_daemon.admission import Admission
    from arp_daemon.link import Link
    from arp_daemon.open_runs import OpenRuns
    from arp_daemon.runs import RunManager
    from arp_daemon.selector import Selector
    from arp_daemon.slots import Slots
    from arp_daemon.store import RunRecord, Store


@dataclass
class _Submission:
    """One request, and what becomes of it. `assigned`: its run_id is ours, and its client has not heard of it."""

    request: RunRequest
    key: str | None = None
    assigned: bool = False
    selector: Selector = field(init=False)
    body: bytes = b""
    refusal: ServiceError | None = None
    """Why it gets no place. One that is there already needs none."""
    outcome: RunStatus | ServiceError | None = None

    def __post_init__(self) -> None:
        if self.request.run_id is UNSET:
            self.request.run_id, self.assigned = new_id("run"), True

    @property
    def run_id(self) -> str:
        return str(self.request.run_id)


class Submissions:
    """Accepts runs."""

    def __init__(self, store: Store, runs: RunManager, open_runs: OpenRuns, admission: Admission, slots: Slots) -> None:
        self._store = store
        self._runs = runs
        self._open_runs = open_runs
        self._admission = admission
        self._slots = slots

    async def submit(self, request: RunRequest, idempotency_key: str | None = None) -> RunStatus:
        """Accept a run: when this returns, it is on the disk.

        The same id, or the same key, with an equal request again gives the same run.

        Raises:
            InvalidRequestError: the id is not well-formed.
            RunConflictError, IdempotencyKeyConflictError: the id or the key is taken by another request.
            ServiceError: whatever `Admission.hold` raises.
        """
        [outcome] = await self._take([_Submission(request, idempotency_key)])
        if isinstance(outcome, ServiceError):
            raise outcome
        return outcome

    async def submit_all(self, requests: Sequence[RunRequest]) -> list[RunStatus | ServiceError]:
        """Accept many, each as if it had come alone; what one is refused with stands in its place."""
        return await self._take([_Submission(request) for request in requests])

    async def _take(self, submissions: list[_Submission]) -> list[RunStatus | ServiceError]:
        with Places(self._admission) as places:
            for submission in submissions:
                self._place(submission, places)
                if len(submissions) > 1:
                    await anyio.lowlevel.checkpoint()  # a large batch holds up nobody else
            await self._accept([s for s in _undecided(submissions) if s.refusal is None])
        await self._recognize(_undecided(submissions))
        return [outcome for s in submissions if (outcome := s.outcome or s.refusal) is not None]

    def _place(self, submission: _Submission, places: Places) -> None:
        """Hold a place for a run until `places` closes, or find out why there is none."""
        request = submission.request
        try:
            if not submission.assigned:
                check_id(submission.run_id, "$.run_id")
        except ServiceError as error:
            submission.outcome = error
            return
        try:
            submission.selector, submission.body = read_selector(request.runtime_selector), request.to_json()
            places.hold(request, submission.selector, len(submission.body))
        except ServiceError as error:
            submission.refusal = error

    async def _recognize(self, submissions: list[_Submission]) -> None:
        """Those whose id or key is known are decided."""
        asked = [submission.run_id for submission in submissions if not submission.assigned]
        known = {record.run_id: record for record in await self._store.find_runs(asked)} if asked else {}
        for submission in submissions:
            with_key = submission.key and await self._store.find_run_by_key(submission.key)
            record = with_key or known.get(submission.run_id)
            if record:
                submission.outcome = await self._compare(submission, record)

    @whole
    async def _accept(self, submissions: list[_Submission]) -> None:
        """Once the store has them, they are begun or queued, whatever becomes of the client."""
        if not submissions:
            return
        selectors, run_ids = [s.selector for s in submissions], [s.run_id for s in submissions]
        with self._slots.held(selectors) as links, self._open_runs.arrivals.expected(run_ids):
            new = [_new_run(submission, link) for submission, link in zip(submissions, links, strict=True)]
            records = await self._store.insert_runs(new)
            for submission, link, one, record in zip(submissions, links, new, records, strict=True):
                if record is not None:
                    run = self._open_runs.add(record, submission.selector, one.claim)
                    if link is not None:
                        self._slots.begin(run, link)
                    submission.outcome = run.status()
        if any(link is not None and link.is_about_to_send for link in links):
            await anyio.lowlevel.cancel_shielded_checkpoint()  # the instance works while its client is answered

    async def _compare(self, submission: _Submission, record: RunRecord) -> RunStatus | ServiceError:
        """The run that is there, where it was made by an equal request."""
        request = submission.request
        if submission.assigned:
            request = replace(request, run_id=record.run_id)
        if RunRequest.from_json(record.request) == request:
            return await self._runs.status(record.run_id)
        if submission.key is not None and submission.key == record.idempotency_key:
            return IdempotencyKeyConflictError(submission.key, record.run_id)
        return RunConflictError(record.run_id)


def _undecided(submissions: list[_Submission]) -> list[_Submission]:
    return [submission for submission in submissions if submission.outcome is None]


def _new_run(submission: _Submission, link: Link | None) -> NewRun:
    """`link`: to the instance that has a slot for it."""
    metadata, now = submission.request.metadata, utc_now()
    return NewRun(
        run_id=submission.run_id,
        request=submission.body,
        created_at=now,
        runtime_profile=submission.selector.runtime_profile,
        labels={} if metadata is UNSET or metadata.labels is UNSET else metadata.labels,
        idempotency_key=submission.key,
        claim=None if link is None else link.claim(submission.request.limits, now),
    )
