"""Command lines of services: flag over environment over config file over default, and `--help` shows all four."""

from __future__ import annotations

import os
import sys
import tomllib
from functools import partial
from importlib.metadata import version as distribution_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cyclopts
from rich.console import Console
from rich.text import Text

from arp_service.prepared_commands import CommandLine

if TYPE_CHECKING:
    from collections.abc import Sequence

CONFIG_VARIABLE_SUFFIX = "CONFIG"


def service_command_line(name: str, distribution: str, help_: str, examples: Sequence[tuple[str, str]]) -> CommandLine:
    """Return a cyclopts App whose parameters also come from `<NAME>_...` variables and a TOML file.

    For `arp-daemon`, `--data-dir` is also `ARP_DAEMON_DATA_DIR`, or `data-dir = "..."` in the table `[serve]` of
    the file that `ARP_DAEMON_CONFIG` names (without it `arp-daemon.toml` in the current folder, if there is one).
    `examples` are command lines, each with what it does.
    """
    prefix = name.replace("-", "_").upper() + "_"
    app = CommandLine(
        name=name,
        help=f"{help_}\n\nEach option can also come from the environment ({prefix}DATA_DIR for --data-dir) or from "
        f"a TOML file, {name}.toml or the one that {prefix}{CONFIG_VARIABLE_SUFFIX} names. "
        "The flag wins, then the environment, then the file, then the default.",
        help_epilogue=_list_examples(examples),
        help_format="plaintext",
        version=lambda: distribution_version(distribution),
        default_parameter=cyclopts.Parameter(negative=()),
        error_console=Console(stderr=True, soft_wrap=True),
        error_formatter=lambda error: _explain(app, error),
        config=[
            cyclopts.config.Env(prefix, command=False),
            partial(_apply_file, name, prefix + CONFIG_VARIABLE_SUFFIX),
        ],
    )
    app.variables_prefix, app.config_file = prefix, f"{name}.toml"
    return app


def _apply_file(
    name: str,
    variable: str,
    app: cyclopts.App,
    commands: tuple[str, ...],
    arguments: cyclopts.ArgumentCollection,
) -> None:
    """Take from the config file what was said nowhere before. Read now, not when the command line was made."""
    _read_file(name, variable)(app, commands, arguments)


def _read_file(name: str, variable: str) -> cyclopts.config.Dict:
    """What the config file says; ends the program where it cannot be read."""
    named = os.environ.get(variable)
    path = Path(named or f"{name}.toml").absolute()
    data: dict[str, Any] = {}
    try:
        if named or path.exists():
            data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        cure = f"; {variable} names it" if named else ""
        sys.exit(f"{name}: {path}: {exc.strerror}{cure}.")
    except ValueError as exc:
        sys.exit(f"{name}: {path} is no TOML: {exc}.")
    found = cyclopts.config.Dict(data, allow_unknown=False)
    found.source = str(path)
    return found


def _list_examples(examples: Sequence[tuple[str, str]]) -> str:
    width = max(len(line) for line, _ in examples)
    return "\nExamples:\n\n" + "\n".join(f"  {line:{width}}  {what}" for line, what in examples)


def _explain(app: cyclopts.App, error: cyclopts.CycloptsError) -> Text:
    """One sentence, and where help is."""
    chain = error.command_chain or ()
    message = str(error)
    if isinstance(error, cyclopts.UnusedCliTokensError):
        unknown = _unknown_option(app[chain[0]] if chain else app, error.root_input_tokens or ())
        unused = " ".join(error.unused_tokens or ())
        message = f"Unknown option: {unknown}." if unknown else f"What is {unused!r} for? Several words need quotes."
    # No markup: what somebody wrote may hold brackets.
    return Text(f"{app.name[0]}: {message}\nSee `{' '.join([app.name[0], *chain])} --help`.")


def _unknown_option(command: cyclopts.App, words: Sequence[str]) -> str | None:
    """What was to be an option, and has become an argument that may begin with a minus, such as a goal."""
    known = {name for argument in command.assemble_argument_collection() for name in argument.names}
    options = (word.partition("=")[0] for word in words if word.startswith("--"))
    return next((option for option in options if option not in known), None)
