"""`python -m arp_daemon.launcher --data-dir DIR`: the process that owns all instance processes of a data dir."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

import anyio

from arp_daemon.launcher.detach import detach
from arp_daemon.launcher.paths import EXIT_LOCKED, LauncherPaths
from arp_daemon.launcher.service import serve
from arp_service.folder_lock import LockedError, hold_lock


def main() -> int:
    """Parse the command line, and serve until told to end. Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m arp_daemon.launcher", description=__doc__)
    parser.add_argument("--data-dir", type=Path, required=True, help="the folder of the daemon it works for")
    parser.add_argument("--lease-s", type=float, default=60.0, help="seconds it lives on without a daemon")
    parser.add_argument("--detach", action="store_true", help="return once it listens, and leave it in the background")
    args = parser.parse_args()
    paths = LauncherPaths(args.data_dir.resolve())
    try:
        paths.make()
        with hold_lock(paths.lock):
            on_ready = detach(paths.log) if args.detach else _say_ready
            logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(levelname)s %(message)s")
            anyio.run(serve, paths, args.lease_s, on_ready)
    except LockedError as exc:
        sys.stderr.write(f"Another launcher serves this data dir: {exc}\n")
        return EXIT_LOCKED
    except OSError as exc:
        sys.stderr.write(f"The launcher cannot run: {exc}\n")
        return os.EX_OSERR
    return 0


def _say_ready() -> None:
    sys.stderr.write("The launcher listens.\n")


if __name__ == "__main__":
    sys.exit(main())
