"""Command lines of services: flag over environment over config file over default, and `--help` shows all four."""

from __future__ import annotations

import os
from importlib.metadata import version as distribution_version
from pathlib import Path

import cyclopts

CONFIG_VARIABLE_SUFFIX = "CONFIG"


def service_command_line(name: str, distribution: str, help_: str) -> cyclopts.App:
    """Return a cyclopts App whose parameters also come from `<NAME>_...` variables and a TOML file.

    For `arp-daemon`, `--data-dir` is also `ARP_DAEMON_DATA_DIR`, or `data-dir = "..."` in the table `[serve]` of
    the file that `ARP_DAEMON_CONFIG` names (without it `arp-daemon.toml` in the current folder, if there is one).
    """
    prefix = name.replace("-", "_").upper() + "_"
    file = os.environ.get(prefix + CONFIG_VARIABLE_SUFFIX)
    return cyclopts.App(
        name=name,
        help=f"{help_}\n\nEach option can also come from the environment ({prefix}DATA_DIR for --data-dir) or from "
        f"a TOML file, {name}.toml or the one that {prefix}{CONFIG_VARIABLE_SUFFIX} names. "
        "The flag wins, then the environment, then the file, then the default.",
        version=lambda: distribution_version(distribution),
        config=[
            cyclopts.config.Env(prefix, command=False),
            cyclopts.config.Toml(Path(file or f"{name}.toml"), must_exist=file is not None, allow_unknown=False),
        ],
    )
