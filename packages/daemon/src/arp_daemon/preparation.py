"""What has to be had before an instance can be launched: an environment, and the values of `env_from`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from arp_daemon.env_from import SecretSources, resolve_env_from
from arp_daemon.errors import InstanceStartError
from arp_daemon.launch_plan import Surroundings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from arp_daemon.environments import EnvironmentManager
    from arp_daemon.exec_spec import AnyExec
    from arp_daemon.redaction import Redactor
    from arp_daemon.settings import Settings

_log = structlog.get_logger(__name__)


class Preparation:
    """Asked by the instance manager at each launch."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], environments: EnvironmentManager, redactor: Redactor
    ) -> None:
        self._data_dir = settings.data_dir
        self._environ = environ
        self._sources = SecretSources(settings.secrets_path, environ, frozenset(settings.allow_env_from))
        self._environments = environments
        self.redactor = redactor
        """Knows every value that was given out, for whoever shows what an instance says."""

    def obstacle(self, details: AnyExec) -> InstanceStartError | None:
        """Why nothing can be launched now: the environment is being built (`EnvironmentBuildingError`), or failed."""
        return self._environments.obstacle(details)

    async def learn(self, details: list[AnyExec]) -> None:
        """Fetch the secrets of profiles whose instances an earlier daemon may have started, to hide them too."""
        for each in details:
            try:
                values = await resolve_env_from(each.env_from, self._sources)
            except InstanceStartError as exc:  # who launches with it is told
                _log.warning("secret_not_learned", reason=exc.message)
            else:
                self.redactor.add(values.values())

    async def surroundings(self, details: AnyExec) -> Surroundings:
        """Return what a launch takes from outside its profile; its secrets are hidden from now on.

        Raises:
            InstanceStartError: the environment is not there, or a value of `env_from` cannot be had.
        """
        venv = self._environments.folder_of(details)
        secrets = await resolve_env_from(details.env_from, self._sources)
        self.redactor.add(secrets.values())
        return Surroundings(self._environ, self._data_dir, secrets, venv)
