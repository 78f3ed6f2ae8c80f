"""docs/daemon.md names everything that an operator can set, and nothing else."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

import arp_daemon.errors
from arp_daemon.commands.serve_options import ServeOptions
from arp_daemon.exec_spec import AnyExec, ExecSpec
from arp_service.errors import ServiceError
from contracts.tree import read

DOCUMENT = Path("docs/daemon.md")
DRIVERS = {str(driver.__struct_config__.tag): driver for driver in get_args(AnyExec)}


def table_after(words: str) -> set[str]:
    """What stands in back ticks in the first cells of the table that follows on some words."""
    _, found, rest = read(DOCUMENT).partition(words)
    assert found, f"{DOCUMENT} does not say: {words}"
    rows = re.search(r"^\|.*?(?=^$)", rest, re.DOTALL | re.MULTILINE)
    cells = [row.split("|")[1] for row in rows[0].splitlines()] if rows else []
    return set(re.findall(r"`([^`]+)`", " ".join(cells)))


def fields(details: type[msgspec.Struct]) -> set[str]:
    """The names of a Struct's fields."""
    return {field.name for field in msgspec.structs.fields(details)}


def test_every_option_is_listed() -> None:
    """The table of options has what `arp-daemon serve` takes."""
    options = {f"--{name.replace('_', '-')}" for name in inspect.signature(ServeOptions).parameters}
    assert table_after("## Start one") == options


def test_every_field_that_drivers_share_is_listed() -> None:
    """The first table of `arp.exec` has the fields of every driver."""
    assert table_after("Every driver has:") == fields(ExecSpec) | {"driver"}


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_field_of_a_driver_is_listed(driver: str) -> None:
    """A driver's table has the fields that it alone has."""
    assert table_after(f"The driver `{driver}` ") == fields(DRIVERS[driver]) - fields(ExecSpec)


def test_every_error_of_the_daemon_is_listed() -> None:
    """The table of errors has the codes that only a daemon answers with."""
    found = vars(arp_daemon.errors).values()
    errors = [e for e in found if inspect.isclass(e) and issubclass(e, ServiceError)]
    assert table_after("## Errors") == {e.code for e in errors if e.__module__ == arp_daemon.errors.__name__}
