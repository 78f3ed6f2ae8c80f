"""The Python environments of profiles: which are built, which are being built, which failed. Owns their state.

An environment belongs to what it is made from (`Recipe.key`), not to a profile: profiles with the same requirements
share one, and it stays when a profile comes back.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

import anyio
import structlog

from arp_daemon.environment_build import BuildError, build, remove
from arp_daemon.environment_recipe import recipe_of
from arp_daemon.errors import EnvironmentBuildingError, EnvironmentFailedError, InvalidProfileError
from arp_daemon.exec_spec import PythonExec
from arp_daemon.launcher import LauncherGoneError
from arp_service.changed import Changed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    from anyio.abc import TaskGroup

    from arp_daemon.environment_recipe import Recipe
    from arp_daemon.exec_spec import AnyExec
    from arp_daemon.launcher import LauncherClient

_log = structlog.get_logger(__name__)

_IMPOSSIBLE = "The operator no longer offers the interpreter or the installer that it needs."
# Builds at once; they share the disk, the network and the processors with running work.
_BUILDS = 2


class Environment:
    """Of one recipe. Owned by the environment manager."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.state: Literal["building", "ready", "failed"] = "building"
        self.folder: Path | None = None
        self.error = ""
        self.log_tail = ""
        self.scope = anyio.CancelScope()

    def view(self) -> dict[str, str]:
        """What `extensions["arp.environment"]` of a profile shows."""
        if self.state != "failed":
            return {"state": self.state}
        return {"state": self.state, "error": self.error, "log_tail": self.log_tail}


class EnvironmentManager:
    """Builds what profiles need, each in a task of its own, and never in a request."""

    def __init__(
        self, root: Path, interpreters: Mapping[str, Path], environ: Mapping[str, str], tasks: TaskGroup
    ) -> None:
        self._root = root
        self._interpreters = interpreters
        self._environ = environ
        self._tasks = tasks
        self._slots = anyio.Semaphore(_BUILDS)
        self._environments: dict[str, Environment] = {}
        self._launcher: LauncherClient | None = None
        self._launcher_changed = Changed()
        self._sweeping = False
        self._swept = anyio.Event()
        self.on_change: Callable[[], None] = lambda: None
        """An environment is ready, or failed."""

    def check(self, details: AnyExec | None) -> None:
        """Refuse launch details whose environment cannot even be tried.

        Raises:
            InvalidProfileError: it needs an interpreter or installer that is not there.
        """
        if isinstance(details, PythonExec):
            recipe_of(details, self._interpreters)

    def require(self, details: AnyExec | None) -> None:
        """See to it that there is an environment; one that failed is tried again."""
        if not isinstance(details, PythonExec):
            return
        try:
            recipe = recipe_of(details, self._interpreters)
        except InvalidProfileError as exc:  # the profile was put when the operator offered more
            _log.warning("environment_impossible", reason=exc.message)
            return
        known = self._environments.get(recipe.key)
        if known is not None:
            if known.state == "ready" or (known.state == "building" and known.recipe == recipe):
                return
            known.scope.cancel()
        environment = self._environments[recipe.key] = Environment(recipe)
        # What is there may be swept away just now.
        if self._sweeping or not self._take_up(environment):
            self._tasks.start_soon(self._build, environment)

    def find(self, details: AnyExec | None) -> Environment | None:
        """The environment of a profile's launch details, where it has one."""
        if not isinstance(details, PythonExec):
            return None
        try:
            return self._environments.get(recipe_of(details, self._interpreters).key)
        except InvalidProfileError:
            return None

    def view_of(self, details: AnyExec | None) -> dict[str, str] | None:
        """What `extensions["arp.environment"]` of a profile shows; None where the driver needs no environment."""
        if not isinstance(details, PythonExec):
            return None
        environment = self.find(details)
        return {"state": "failed", "error": _IMPOSSIBLE} if environment is None else environment.view()

    def obstacle(self, details: AnyExec | None) -> EnvironmentBuildingError | EnvironmentFailedError | None:
        """Why nothing can be launched now, or None."""
        if not isinstance(details, PythonExec):
            return None
        environment = self.find(details)
        if environment is None:
            return EnvironmentFailedError(_IMPOSSIBLE)
        if environment.state == "building":
            return EnvironmentBuildingError()
        if environment.state == "failed":
            return EnvironmentFailedError(environment.error, environment.log_tail)
        return None

    def folder_of(self, details: AnyExec) -> Path | None:
        """The folder of the environment to launch in; None where the driver needs none.

        Raises:
            EnvironmentBuildingError, EnvironmentFailedError: there is none yet.
        """
        if obstacle := self.obstacle(details):
            raise obstacle
        environment = self.find(details)
        return None if environment is None else environment.folder

    def keep_only(self, needed: Iterable[AnyExec | None]) -> None:
        """Stop builds that no profile needs any more, and forget what failed for them."""
        kept = {environment.recipe.key for details in needed if (environment := self.find(details)) is not None}
        for key in self._environments.keys() - kept:
            self._environments.pop(key).scope.cancel()

    # -- with the launcher -----------------------------------------------------------------------------------

    def use_launcher(self, launcher: LauncherClient) -> None:
        """Build by this launcher from now on. Nothing runs in it that an earlier daemon or connection was building."""
        self._launcher = launcher
        self._launcher_changed.notify()

    async def sweep(self, in_use: Collection[str]) -> None:
        """Remove what an earlier daemon left unfinished, and what neither a profile nor an instance uses.

        `in_use` has the folders of instances. Nothing is built before this is done. Call once, at start; a launcher
        is only handed over when it has stopped an earlier daemon's work.
        """
        await self._living_launcher()
        kept = set(self._environments)
        self._sweeping = True
        try:
            await anyio.to_thread.run_sync(partial(_sweep, self._root, kept, set(in_use)))
        except OSError as exc:  # what is in the way of the sweep is in the way of the builds too, and told there
            _log.warning("environments_not_swept", reason=str(exc))
        self._sweeping = False
        self._swept.set()

    def _take_up(self, environment: Environment) -> bool:
        """Whether it was built before."""
        link = self._root / environment.recipe.key
        if not (link / "bin" / "python").exists():
            return False
        environment.state, environment.folder = "ready", link.resolve()
        return True

    async def _build(self, environment: Environment) -> None:
        recipe = environment.recipe
        with environment.scope:
            await self._swept.wait()
            if self._take_up(environment):
                self.on_change()
                return
            async with self._slots:
                _log.info("environment_building", environment=recipe.key)
                try:
                    with anyio.fail_after(recipe.timeout_s):
                        environment.folder = await self._build_by_a_living_launcher(recipe)
                    environment.state = "ready"
                except TimeoutError:
                    environment.error = f"It was not built within {recipe.timeout_s:g} s."
                    environment.state = "failed"
                except BuildError as exc:
                    environment.error, environment.log_tail = exc.message, exc.log_tail
                    environment.state = "failed"
            _log.info("environment_built", environment=recipe.key, **environment.view())
            self.on_change()

    async def _build_by_a_living_launcher(self, recipe: Recipe) -> Path:
        while True:
            launcher = await self._living_launcher()
            try:
                return await build(launcher, recipe, self._root, self._environ)
            except LauncherGoneError:
                if self._launcher is launcher:
                    self._launcher = None

    async def _living_launcher(self) -> LauncherClient:
        while self._launcher is None:
            await self._launcher_changed.wait()
        return self._launcher


def _sweep(root: Path, kept: set[str], in_use: set[str]) -> None:
    """Everything goes that is not a link which is kept, or a folder that such a link or an instance points to."""
    if not root.exists():
        return
    entries = list(root.iterdir())
    links = {entry for entry in entries if entry.is_symlink() and entry.name in kept and entry.exists()}
    folders = {link.resolve() for link in links} | {root.resolve() / name for name in in_use}
    for entry in entries:
        if entry not in links and entry.resolve() not in folders:
            remove(entry)
