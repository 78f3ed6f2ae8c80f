"""The life of a run: submitted, executed, ended; and its id."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from conformance.judgement import NotMetError
from conformance.service import Service, assert_refused, new_id, read_error

_ENDED = {"succeeded", "failed", "canceled"}
_AT_ONCE = 8


@pytest.mark.requirement("run.submit")
def test_a_run_has_the_id_that_was_asked_for(service: Service) -> None:
    """The RunStatus that answers names it."""
    run_id = new_id("goal")
    found = service.submit(service.goals.short, run_id=run_id)["run_id"]
    assert found == run_id, f"run_id is {run_id!r}, not {found!r}"


@pytest.mark.requirement("run.submit")
def test_a_run_without_an_id_gets_one(service: Service) -> None:
    """Each another."""
    first, second = (service.submit(service.goals.short)["run_id"] for _ in range(2))
    assert first
    assert first != second


@pytest.mark.requirement("run.submit")
def test_every_part_of_a_request_is_accepted(service: Service) -> None:
    """A request that uses all that the standard has for it is as good as a short one."""
    service.submit_request(
        {
            "run_id": new_id("full"),
            "input": {"goal": service.goals.short, "context": {"language": "en"}, "data": {"numbers": [19, 23]}},
            "limits": {"timeout_ms": 30_000, "max_steps": 50, "max_tokens": 5000},
            "tool_policy": {"allow_tool_ids": ["calculator"], "deny_tool_ids": ["clock"]},
            "metadata": {"labels": {"team": "search"}, "annotations": {"comment": "\u00fc \u2028 \U0001f600"}},
            "extensions": {"com.example.trace": {"id": 7}},
        }
    )


@pytest.mark.requirement("run.status")
def test_a_run_can_be_looked_at(service: Service) -> None:
    """Its status names it, as soon as it was submitted."""
    run_id = service.submit(service.goals.short)["run_id"]
    assert service.status(run_id)["run_id"] == run_id


@pytest.mark.requirement("run.ends")
def test_a_run_comes_to_its_end(service: Service) -> None:
    """Whether it succeeds is the agent's business."""
    status, _ = service.run(service.goals.short)
    assert status["state"] in _ENDED


@pytest.mark.requirement("run.result")
def test_a_run_that_has_ended_has_a_result(service: Service) -> None:
    """It names the run."""
    status, result = service.run(service.goals.short)
    assert result["run_id"] == status["run_id"]


@pytest.mark.requirement("run.ok")
def test_a_goal_becomes_an_answer(service: Service) -> None:
    """A run that succeeds has a result that is ok, with the answer and without an error."""
    status, result = service.run(service.goals.short)
    assert (status["state"], result["ok"]) == ("succeeded", True)
    assert "error" not in result
    if service.goals.arp:
        assert "437" in str(result["output"])


@pytest.mark.requirement("run.ok")
def test_a_failure_says_why(service: Service) -> None:
    """A run that fails has a result that is not ok, with a code and a message."""
    status, result = service.run(service.goals.need_failing())
    assert (status["state"], result["ok"]) == ("failed", False)
    assert result["error"]["code"]
    if service.goals.arp:
        assert "on purpose" in result["error"]["message"]


@pytest.mark.requirement("run.states")
def test_a_run_has_ended_only_at_its_end(service: Service) -> None:
    """While a run is under way it has no `ended_at`; at the end its times are in order."""
    submitted = service.submit(service.goals.need_long())
    run_id = submitted["run_id"]
    with service.following(run_id) as events:
        next(events)
        under_way = service.status(run_id)
    assert submitted["state"] in {"queued", "running"}
    assert under_way["state"] == "running"
    assert "ended_at" not in submitted
    assert "ended_at" not in under_way
    service.cancel(run_id)
    ended, _ = service.finish(run_id)
    assert ended["state"] in _ENDED
    assert under_way["started_at"] == ended["started_at"] <= ended["ended_at"]


@pytest.mark.requirement("run.accepted_at_once")
def test_a_long_run_holds_up_no_other(service: Service) -> None:
    """A run ends while one that was submitted before it goes on."""
    long = service.submit(service.goals.need_long())
    service.run(service.goals.short)
    assert service.status(long["run_id"])["state"] not in _ENDED
    service.cancel(long["run_id"])


@pytest.mark.requirement("run.result_before_end")
def test_a_result_before_the_end_can_be_asked_for_again(service: Service) -> None:
    """The answer before the end says that it is only too early."""
    run_id = service.submit(service.goals.need_long())["run_id"]
    error = read_error(service.http.get(f"/v1/runs/{run_id}/result"), 409, "run_not_finished")
    assert error["retryable"] is True
    service.cancel(run_id)


@pytest.mark.requirement("run.id_assigned")
def test_assigned_ids_sort_by_age(service: Service) -> None:
    """Ids of runs that were submitted one after the other, each after some time has passed, are in order."""
    ids = [service.run(service.goals.short)[0]["run_id"] for _ in range(3)]
    assert all(run_id.startswith("run_") for run_id in ids)
    assert ids == sorted(ids)


@pytest.mark.requirement("run.id_repeated")
def test_a_request_can_be_repeated(service: Service) -> None:
    """An equal request, with its members in whatever order, gives the run that is there."""
    goal = service.goals.short
    request = {"run_id": new_id("again"), "input": {"goal": goal, "data": {"a": 1, "b": 2}}}
    first, _ = service.finish(service.submit_request(request)["run_id"])
    turned = {"input": {"data": {"b": 2, "a": 1}, "goal": goal}, "run_id": request["run_id"]}
    assert service.submit_request(turned) == first, "the answer is the RunStatus of the run that is there, unchanged"


@pytest.mark.requirement("run.id_race")
def test_many_who_submit_one_request_at_once_make_one_run(service: Service) -> None:
    """Each is answered with that run, and it ends once."""
    request = {"run_id": new_id("race"), "input": {"goal": service.goals.short}}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(service.submit_request, [request] * 2 * _AT_ONCE))
    assert {answer["run_id"] for answer in answers} == {request["run_id"]}
    status, result = service.finish(str(request["run_id"]))
    assert (service.status(status["run_id"]), service.result(status["run_id"])) == (status, result)


@pytest.mark.requirement("run.id_conflict")
@pytest.mark.parametrize("other", [{"input": {"goal": "another"}}, {"limits": {"max_steps": 5}}])
def test_a_taken_id_is_refused(service: Service, other: dict[str, object]) -> None:
    """Another request with the id of a run does not touch that run."""
    goal = service.goals.short
    first, _ = service.run(goal, run_id=new_id("taken"))
    response = service.http.post("/v1/runs", json={"run_id": first["run_id"], "input": {"goal": goal}, **other})
    read_error(response, 409, "run_conflict")
    assert service.status(first["run_id"]) == first


@pytest.mark.requirement("ids.form")
@pytest.mark.parametrize(
    "run_id",
    ["", "a/b", "a:b", "..", "a..b", ".hidden", "-x", "a b", "a\n", "a\0b", "\u00e9", "a%2Fb", "x" * 129],
    ids=ascii,
)
def test_a_run_id_that_is_no_id_is_refused(service: Service, run_id: str) -> None:
    """An id that could not stand in a path is refused, and the answer names the place."""
    response = service.http.post("/v1/runs", json={"run_id": run_id, "input": {"goal": service.goals.short}})
    assert "run_id" in read_error(response, 400, "invalid_request")["message"]


@pytest.mark.requirement("ids.form")
@pytest.mark.parametrize("run_id", ["x" * 128, "0", "A.b_c-d"])
def test_a_run_id_may_be_any_id(service: Service, run_id: str) -> None:
    """What is well-formed is taken, up to the longest. (The run may be there from an earlier time.)"""
    assert service.submit(service.goals.short, run_id=run_id)["run_id"] == run_id


_ASKED_OF_A_RUN = ["GET {}", "GET {}/result", "GET {}/events", "POST {}:cancel"]


@pytest.mark.requirement("run.unknown")
@pytest.mark.parametrize("ask", _ASKED_OF_A_RUN)
def test_a_run_that_is_not_there_has_nothing(service: Service, ask: str) -> None:
    """Whatever is asked of it, the answer is an error."""
    method, path = ask.format("/v1/runs/" + new_id("nothing")).split()
    response = service.http.request(method, path)
    if response.is_success:
        raise NotMetError(f"what is asked of a run that does not exist is an error, not {response.status_code}")
    if not path.endswith(("/events", ":cancel")):
        assert_refused(response)


@pytest.mark.requirement("run.not_found")
@pytest.mark.parametrize("ask", _ASKED_OF_A_RUN)
def test_an_unknown_run_is_not_found(service: Service, ask: str) -> None:
    """The answer tells that it is the run which is missing, and not the path."""
    method, path = ask.format("/v1/runs/" + new_id("nothing")).split()
    read_error(service.http.request(method, path), 404, "run_not_found")
