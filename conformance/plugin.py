"""The pytest plugin: chooses the checks of a tier, starts or finds what is judged, and gathers what came of them.

`pytest -p conformance.plugin --pyargs conformance --daemon-url URL`, or `arp-check`, which does the same and is quiet.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest

from conformance.judgement import Finding, NotMetError, UnusableAnswerError
from conformance.operations import KINDS, Operation, ServedPath, operations, served_paths
from conformance.requirements import ORIGINS, TIERS, load_requirements, requirements_of
from conformance.service import RUN_TIMEOUT_S, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

# What is started where no URL is given.
OURS = ("runtime", "daemon")
_MAX_REASON_CHARS = 400
_EVERY_ANSWER = "every answer is held against its OpenAPI document"
# What a check can ask for beside its service, by the name of the argument: it is run for each that the service has.
_PARTS: dict[str, Callable[[str], list[Operation] | list[ServedPath]]] = {
    "required_operation": lambda kind: [o for o in operations(kind) if o.required],
    "added_operation": lambda kind: [o for o in operations(kind) if o.addition],
    "operation_with_body": lambda kind: [o for o in operations(kind) if o.needs_body],
    "served": served_paths,
}
SERVICES = pytest.StashKey[dict[str, Service]]()
FINDINGS = pytest.StashKey[dict[str, list[Finding]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """What is judged, how deep, and what its agents understand."""
    group = parser.getgroup("conformance", "conformance with the Agent Runtime Protocol")
    for kind in KINDS:
        group.addoption(f"--{kind}-url", help=f"base URL of the {kind} to judge")
    group.addoption("--tier", choices=TIERS, default=TIERS[-1], help="how deep to look")
    group.addoption("--token", help="the token to send")
    group.addoption("--goal", help="a goal that ends soon, and succeeds")
    group.addoption("--long-goal", help="a goal that takes a minute")
    group.addoption("--failing-goal", help="a goal that ends soon, and fails")
    group.addoption("--runtime-profile", help="a profile from which the daemon can launch runtimes")
    group.addoption("--helper-runtime-url", help="a runtime that the daemon may register, which is not judged itself")
    group.addoption("--max-examples", type=int, default=50, help="cases that Schemathesis makes up an operation")
    group.addoption("--standard-only", action="store_true", help="leave out what only the ARP stack promises")
    group.addoption("--profile-file", help="a file with a RuntimeProfileUpsertRequest to launch from")
    group.addoption("--checks-only", action="store_true", help="leave out what checks no requirement")
    group.addoption("--run-timeout", type=float, default=RUN_TIMEOUT_S, help="how many seconds a run may take")


def pytest_configure(config: pytest.Config) -> None:
    """Make room for what will be found."""
    config.addinivalue_line("markers", "requirement(*ids): the requirements that a check exercises, its own one first")
    config.addinivalue_line("markers", "kinds(*kinds): of the services that the requirements concern, only these")
    config.stash[SERVICES] = {}
    findings: dict[str, list[Finding]] = {kind: [] for kind in KINDS}
    config.stash[FINDINGS] = findings


def judged_kinds(config: pytest.Config) -> tuple[str, ...]:
    """The kinds with a URL; without any, ours."""
    return tuple(kind for kind in KINDS if config.getoption(f"--{kind}-url")) or OURS


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask of each kind what its requirements ask of it, and of all its operations or paths what is asked of those."""
    if "service" not in metafunc.fixturenames:
        return
    ids = _marked(metafunc.definition)
    concerned = [set(r.services) for r in load_requirements() if r.id in ids]
    named = metafunc.definition.get_closest_marker("kinds")
    concerned += [set(named.args)] if named else []
    kinds = [kind for kind in judged_kinds(metafunc.config) if all(kind in services for services in concerned)]
    for name, list_all in _PARTS.items():
        if name in metafunc.fixturenames:
            pairs = [(kind, part) for kind in kinds for part in list_all(kind)]
            shown = [f"{kind}-{part.name}" for kind, part in pairs]
            metafunc.parametrize(("service", name), pairs, indirect=["service"], ids=shown)
            return
    metafunc.parametrize("service", kinds, indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the checks of the kinds that are judged and of the tier; and whatever is no check."""
    tier = config.getoption("--tier")
    origins = ORIGINS[:1] if config.getoption("--standard-only") else ORIGINS
    chosen = {kind: {r.id for r in requirements_of(kind, tier, origins)} for kind in judged_kinds(config)}
    checks_only = config.getoption("--checks-only")
    kept = [item for item in items if _is_chosen(item, chosen, checks_only=checks_only)]
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in kept])
        items[:] = kept


def _is_chosen(item: pytest.Item, chosen: dict[str, set[str]], *, checks_only: bool) -> bool:
    kind = kind_of(item)
    return set(_marked(item)) <= chosen.get(kind, set()) if kind else not checks_only


def kind_of(item: pytest.Item) -> str:
    """The kind of service that a check judges, by the fixture that it asks for; empty for what is no check."""
    if not isinstance(item, pytest.Function):
        return ""
    if hasattr(item, "callspec") and "service" in item.callspec.params:
        return str(item.callspec.params["service"])
    fixtures = {"daemon": "daemon", "runtime": "runtime", "tool_registry": "tool-registry"}
    return next((kind for fixture, kind in fixtures.items() if fixture in item.fixturenames), "")


def _marked(node: pytest.Item | pytest.Function) -> tuple[str, ...]:
    """The requirements that a check exercises."""
    mark = node.get_closest_marker("requirement")
    return mark.args if mark else ()


@pytest.fixture(autouse=True)
def _contract_is_kept(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail, after the check itself, where an answer broke the contract meanwhile."""
    services: dict[str, Service] = request.config.stash[SERVICES]
    for service in services.values():
        service.contract.begin()
    yield
    broken = []
    for kind, service in services.items():
        for violation in service.contract.take_violations():
            broken.append(f"{violation.requirement}: {violation.message}\n{violation.exchange}")
            finding = Finding(violation.requirement, "failed", _EVERY_ANSWER, violation.message, violation.exchange)
            request.config.stash[FINDINGS][kind].append(finding)
    if broken:
        pytest.fail("\n".join(broken), pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take note of what came of a check."""
    report = yield
    kind = kind_of(item)
    if kind and (report.when == "call" or (report.when == "setup" and not report.passed)):
        item.config.stash[FINDINGS][kind] += _findings(item, call, report, kind)
    return report


def _findings(
    item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport, kind: str
) -> Iterator[Finding]:
    """What one check says of each of its requirements, and perhaps of another that it found broken."""
    ids = _marked(item)
    doc = getattr(getattr(item, "function", None), "__doc__", None) or ""
    check = partial(Finding, check=f"{item.name}: {doc.strip().partition(chr(10))[0]}")
    if report.passed:
        yield from (check(id_, "passed") for id_ in ids)
    elif call.excinfo is None or report.skipped:
        reason = str(call.excinfo.value) if call.excinfo else ""
        yield from (check(id_, "not applicable", reason=reason) for id_ in ids)
    else:
        reason = _reason(call.excinfo)
        blamed = _blamed(call.excinfo.value, ids, report.when)
        service = item.config.stash[SERVICES].get(kind)
        if blamed:
            yield check(blamed, "failed", reason=reason, exchange=service.contract.last if service else None)
        why = f"{blamed} is not met" if blamed else reason
        yield from (check(id_, "blocked", reason=why) for id_ in ids if id_ != blamed)


def _blamed(error: BaseException, ids: tuple[str, ...], when: str | None) -> str | None:
    """Which requirement is not met; None where the failure tells nothing of any."""
    if isinstance(error, NotMetError) and error.requirement:
        return error.requirement
    # Who is not there any more has broken something else, or was stopped.
    if isinstance(error, (UnusableAnswerError, httpx.ConnectError)) or when != "call" or not ids:
        return None
    return ids[0]


def _reason(excinfo: pytest.ExceptionInfo[BaseException]) -> str:
    error = excinfo.value
    text = str(error) if isinstance(error, (NotMetError, UnusableAnswerError)) else f"{type(error).__name__}: {error}"
    line = text.removeprefix("AssertionError: ").strip().partition("\n")[0]
    if line.startswith("assert "):  # as pytest tells of an assertion that has no message
        line = f"{line.removeprefix('assert ')}, which is not so"
    return line if len(line) <= _MAX_REASON_CHARS else f"{line[:_MAX_REASON_CHARS]}..."
