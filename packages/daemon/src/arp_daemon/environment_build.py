"""Building one Python environment, by programs that the launcher runs: they die with it, and with all they forked.

It is built under a name of its own, because an environment cannot be moved: its scripts hold its path. What is put in
place when it is whole is a link, in one step.
"""

from __future__ import annotations

import os
import secrets
import shutil
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import anyio

from arp_daemon.environment_recipe import site_packages
from arp_daemon.installer_environment import installer_environment
from arp_daemon.launcher import LauncherError, LauncherGoneError
from arp_daemon.launcher.protocol import LaunchSpec
from arp_daemon.redaction import Redactor, hide_credentials
from arp_service.ids import new_id
from arp_service.processes import wait_exit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from arp_daemon.environment_recipe import Recipe, Step
    from arp_daemon.launcher import LauncherClient

_JOB_PREFIX = "env"

_TAIL_LINES, _TAIL_CHARACTERS = 20, 4000
# From SIGTERM to SIGKILL: an installer has nothing to save.
_STOP_GRACE_S = 1.0
# Removing what is left of a build; what is not gone by then is swept at the next start.
_CLEAR_TIMEOUT_S = 30.0


class BuildError(Exception):
    """An environment cannot be built. `log_tail` is the last of what the installer said, without credentials."""

    def __init__(self, message: str, log_tail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.log_tail = log_tail


async def build(launcher: LauncherClient, recipe: Recipe, root: Path, environ: Mapping[str, str]) -> Path:
    """Build the environment below `root`, and return its folder. A failure leaves nothing. The caller bounds it.

    Raises:
        BuildError: it cannot be built.
        LauncherGoneError: the launcher died, and the work with it.
    """
    folder = root / f"{recipe.key}.{secrets.token_hex(4)}"
    requirements = folder.with_name(folder.name + ".txt")
    env = installer_environment(recipe, environ)
    try:
        await anyio.to_thread.run_sync(partial(_write_private, requirements, recipe.requirements))
        for step in recipe.steps(folder, requirements):
            await _run(launcher, recipe, step, env)
        await anyio.to_thread.run_sync(partial(_lend, recipe, folder))
        for step in recipe.last_steps(folder):
            await _run(launcher, recipe, step, env)
        await anyio.to_thread.run_sync(partial(_put_in_place, recipe, folder))
    except BaseException as exc:
        with anyio.move_on_after(_CLEAR_TIMEOUT_S, shield=True):
            await anyio.to_thread.run_sync(partial(remove, folder), abandon_on_cancel=True)
        if isinstance(exc, OSError):
            raise BuildError(f"Cannot write the environment: {exc.strerror or exc}.") from exc
        raise
    finally:
        requirements.unlink(missing_ok=True)
    return folder


def remove(path: Path) -> None:
    """Remove whatever is there, if anything is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


async def _run(launcher: LauncherClient, recipe: Recipe, step: Step, env: dict[str, str]) -> None:
    job = new_id(_JOB_PREFIX)
    spec = LaunchSpec(instance_id=job, argv=step.argv, env=env, stop_grace_s=_STOP_GRACE_S)
    try:
        with anyio.CancelScope(shield=True):  # half a launch would leave a program that nobody knows
            launched = await launcher.launch(spec)
        try:
            await wait_exit(launched.identity)
        finally:
            with anyio.CancelScope(shield=True):
                exited = await launcher.stop(job, _STOP_GRACE_S)
        if exited.exit_code == 0:
            return
        tail = await launcher.tail(job, "stderr", _TAIL_LINES) or await launcher.tail(job, "stdout", _TAIL_LINES)
    except LauncherGoneError:
        raise
    except LauncherError as exc:
        raise BuildError(f"Cannot {step.title}: {exc.message}", without_credentials(recipe, exc.stderr_tail)) from exc
    how = f"signal {exited.signal}" if exited.exit_code is None else f"exit code {exited.exit_code}"
    raise BuildError(f"Cannot {step.title}: {how}.", without_credentials(recipe, tail))


def _write_private(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(line + "\n" for line in lines)


def _lend(recipe: Recipe, folder: Path) -> None:
    """Put our own runtime behind everything that the environment has (site: path configuration files)."""
    if recipe.lent:
        (site_packages(folder) / "arp_runtime_lent.pth").write_text("".join(f"{path}\n" for path in recipe.lent))


def _put_in_place(recipe: Recipe, folder: Path) -> None:
    for program in recipe.programs:
        if not (folder / "bin" / program).exists():
            raise BuildError(f"No requirement brings the program {program!r}.")
    link = folder.with_name(folder.name + ".link")
    link.symlink_to(folder.name)
    link.replace(folder.with_name(recipe.key))


def without_credentials(recipe: Recipe, text: str) -> str:
    """What an installer says, as it may be shown: its end, and no credentials in it."""
    redactor = Redactor()
    for url in recipe.urls:
        redactor.add(_credentials(url))
    return redactor.text(hide_credentials(text))[-_TAIL_CHARACTERS:].strip()


def _credentials(url: str) -> set[str]:
    """The password in a URL, or the token in the place of a user; as written, and as meant."""
    _, _, place = url.rpartition(" @ ")
    try:
        parts = urlsplit(place)
        secret = parts.password or parts.username
    except ValueError:
        return set()
    return {secret, unquote(secret)} if secret else set()
