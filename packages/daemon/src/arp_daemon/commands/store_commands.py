"""`arp-daemon check` and `arp-daemon repair`: for a store that a daemon is not using."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from arp_daemon.settings import Settings, default_data_dir
from arp_daemon.store.repair import check_store, repair_store
from arp_daemon.store.survey import CannotKeepError
from arp_service.folder_lock import FolderError, locked_folder
from arp_service.info import utc_now
from arp_service.sqlite import StoreTooNewError, StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from arp_daemon.store.survey import Report

_CANNOT_DO = (CannotKeepError, FolderError, OSError, StoreTooNewError, StoreUnavailableError)


def check(*, data_dir: Path | None = None) -> None:
    """Read all that a stopped daemon has stored, and verify it. The exit code is 1 where something is damaged.

    Parameters
    ----------
    data_dir
        The daemon's data dir; by default the user's data folder.
    """
    with _stopped(data_dir) as settings:
        report = check_store(settings.store_path)
    _print(report)
    if report.lost:
        _say(f"Save what can be read with: arp-daemon repair --data-dir {settings.data_dir}")
        sys.exit(1)
    _say("Nothing is damaged.")


def repair(*, data_dir: Path | None = None) -> None:
    """Make a whole store of what can be read of a stopped daemon's, and keep the damaged one beside it.

    Parameters
    ----------
    data_dir
        The daemon's data dir; by default the user's data folder.
    """
    with _stopped(data_dir) as settings:
        report = check_store(settings.store_path)
        if report.lost:
            report = repair_store(settings.store_path, utc_now())
    _print(report)
    if report.kept_as is None:
        _say("Nothing is damaged: nothing was changed.")
        return
    _say(f"The damaged store is kept as {report.kept_as}.")
    _say("The store is whole: start the daemon.")


@contextmanager
def _stopped(data_dir: Path | None) -> Iterator[Settings]:
    """The settings for a data dir that no daemon uses, nor can while the block lasts."""
    settings = Settings(data_dir=(data_dir or default_data_dir()).absolute())
    if not settings.data_dir.is_dir():
        sys.exit(f"arp-daemon: There is no data dir {settings.data_dir}.")
    try:
        with locked_folder(settings.data_dir, "daemon"):
            yield settings
    except _CANNOT_DO as exc:
        sys.exit(f"arp-daemon: {exc}")


def _print(report: Report) -> None:
    for sentence in report.lost:
        _say(f"LOST  {sentence}")
    _say(
        f"Read {report.runs} runs with {report.events} events, {report.profiles} profiles, "
        f"{report.instances} instances."
    )


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
