"""`arpctl status`."""

from collections import Counter
from typing import Annotated

from cyclopts import Parameter
from rich.text import Text

from arp_cli.event_lines import fields
from arp_cli.exit_codes import ExitCode
from arp_cli.session import Session
from arp_cli.state_styles import state_text
from arp_cli.terminal_text import one_line
from arp_sdk.models import UNSET, Health, HealthChecksItem, InstanceListResponse, RuntimeInstance, Status, VersionInfo

EXAMPLES = """
Examples:

  arpctl status
  arpctl status --json | jq -r .health.status

Exit code: 0 when the daemon is ok, 1 when it is degraded or down, 3 when there is none.
"""


def status(*, session: Annotated[Session, Parameter(parse=False)]) -> int:
    """Show how the daemon is: its version, its health checks, its instances and runs."""
    with session.client() as client, session.wait("asking"):
        health, version, instances = client.health(), client.version(), client.list_instances()
    if session.json:
        found = {"health": health, "version": version, "instances": instances.instances}
        session.write_json(found)
    else:
        session.out.print(_headline(session.url, health, version), soft_wrap=True)
        for check in [] if health.checks is UNSET else health.checks:
            session.out.print(_check_line(check), soft_wrap=True)
        session.out.print(_count_instances(instances), soft_wrap=True)
    return ExitCode.OK if health.status is Status.OK else ExitCode.FAILED


def _headline(url: str, health: Health, version: VersionInfo) -> Text:
    program = one_line(f"{version.service_name} {version.service_version}")
    return Text.assemble((program, "bold"), f" at {url} is ", state_text(health.status))


def _check_line(check: HealthChecksItem) -> Text:
    message = "" if check.message is UNSET else f"  {one_line(check.message)}"
    details = "" if check.details is UNSET else f"  {fields(check.details)}"
    return Text.assemble(f"  {one_line(check.name):<10} ", state_text(check.status), message, details)


def _count_instances(found: InstanceListResponse) -> str:
    if not found.instances:
        return "Instances: none"
    states = Counter(instance.state.value for instance in found.instances)
    runs = sum(_runs_on(instance) for instance in found.instances)
    return f"Instances: {', '.join(f'{count} {state}' for state, count in states.items())}; runs on them: {runs}"


def _runs_on(instance: RuntimeInstance) -> int:
    match instance.extensions:
        case {"arp.runs": int(runs)}:
            return runs
    return 0
