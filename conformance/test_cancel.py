"""Canceling runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conformance.conftest import MakeProfile
    from conformance.service import Service


@pytest.mark.requirement("cancel.answer")
def test_a_runtime_that_cancels_says_how_far_the_run_is(runtime: Service) -> None:
    """The RunStatus that answers is that of the run, which then comes to its end."""
    run_id = runtime.submit(runtime.goals.need_long())["run_id"]
    assert runtime.cancel(run_id)["run_id"] == run_id
    runtime.finish(run_id)


@pytest.mark.requirement("cancel.offered")
def test_a_daemon_cancels_too(daemon: Service) -> None:
    """The RunStatus that answers is that of the run, which then comes to its end."""
    run_id = daemon.submit(daemon.goals.need_long())["run_id"]
    assert daemon.cancel(run_id)["run_id"] == run_id
    daemon.finish(run_id)


@pytest.mark.requirement("cancel.running")
def test_a_running_run_ends_as_canceled(service: Service) -> None:
    """It ends long before its work would be done, and its events and its result say so."""
    run_id = service.submit(service.goals.need_long())["run_id"]
    with service.following(run_id) as events:
        first = next(events)
        service.cancel(run_id)
        *_, last = first, *events
    status, result = service.finish(run_id)
    assert (last.event, status["state"], result["ok"]) == ("error", "canceled", False)
    assert result["error"]["code"] == "canceled"


@pytest.mark.requirement("cancel.ended")
@pytest.mark.parametrize("failing", [False, True], ids=["succeeded", "failed"])
def test_a_run_that_has_ended_stays_as_it_is(service: Service, *, failing: bool) -> None:
    """Canceling it answers with its status, and changes neither that nor the events."""
    status, result = service.run(service.goals.need_failing() if failing else service.goals.short)
    events = service.events(status["run_id"])
    assert [service.cancel(status["run_id"]) for _ in range(2)] == [status, status]
    assert service.result(status["run_id"]) == result
    assert service.events(status["run_id"]) == events


@pytest.mark.requirement("cancel.queued")
def test_a_waiting_run_never_starts(daemon: Service, make_profile: MakeProfile) -> None:
    """While another run has the only slot, a run waits; canceled, it has ended and was never with an instance."""
    long = daemon.goals.of_arp("wait 600 s")
    details = {"driver": "runtime", "max": 1, "concurrency": 1}
    selector = {"runtime_profile": make_profile(extensions={"arp.exec": details})}
    busy = daemon.submit(long, runtime_selector=selector)["run_id"]
    waiting = daemon.submit(daemon.goals.short, runtime_selector=selector)["run_id"]
    with daemon.following(busy) as events:
        next(events)
        status = daemon.cancel(waiting)
    assert status["state"] == "canceled"
    assert not status.keys() & {"started_at", "runtime_instance_id"}
    assert daemon.result(waiting)["error"]["code"] == "canceled"
    [last] = daemon.events(waiting)
    assert (last.id, last.event) == ("0", "error")
    daemon.cancel(busy)
