"""The safe list: which runtime profiles there are. Owns them in memory, on top of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import structlog
from msgspec import UNSET

from arp_daemon.endpoint import is_url
from arp_daemon.errors import InvalidProfileError, ProfileNotFoundError
from arp_daemon.exec_spec import find_exec
from arp_daemon.profile_view import shown, taken
from arp_daemon.selector import DEFAULT_PROFILE
from arp_daemon.store import ProfileRecord
from arp_model import RuntimeProfile, RuntimeProfileUpsertRequest
from arp_service.ids import check_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from arp_daemon.environments import EnvironmentManager
    from arp_daemon.exec_spec import AnyExec
    from arp_daemon.instance import Instance
    from arp_daemon.store import Store

_log = structlog.get_logger(__name__)

BUILT_IN = RuntimeProfile.from_dict(
    {
        "runtime_profile": DEFAULT_PROFILE,
        "runtime_name": "arp-runtime",
        "description": "Built in: arp-runtime with its default agent, forked from a warm template.",
        "extensions": {
            "arp.exec": {
                "driver": "runtime",
                "agent": "default",
                "template": "arp_runtime.cli:main",
                "max": 4,
            }
        },
    }
)


class ProfileManager:
    """The profiles that runs and instances may name."""

    def __init__(self, store: Store, environments: EnvironmentManager) -> None:
        self._store = store
        self._environments = environments
        self._profiles: dict[str, RuntimeProfile] = {}
        self._details: dict[str, AnyExec | None] = {}
        self._versions: dict[str, int] = {}
        self._writing = anyio.Lock()
        self.on_change: Callable[[], None] = lambda: None
        """A profile was put or deleted."""

    async def load(self, given: Mapping[str, RuntimeProfileUpsertRequest]) -> None:
        """Read the stored profiles; a fresh store gets the built-in one. Call once, at start.

        `given` are the operator's (`profile_files`): what differs from the stored one is put.

        Raises:
            InvalidProfileError: one that is given makes no sense.
        """
        records = await self._store.list_profiles()
        for record in records:
            self._versions[record.name] = record.version
            self._take(RuntimeProfile.from_json(record.body))
        for name, body in given.items():
            profile = self._check(name, body)
            if self._profiles.get(name) != profile:
                await self._put(profile)
        if not records and DEFAULT_PROFILE not in given:
            await self._put(BUILT_IN)

    def get(self, name: str) -> RuntimeProfile:
        """Return the profile.

        Raises:
            ProfileNotFoundError: there is none of this name.
        """
        profile = self._profiles.get(name)
        if profile is None:
            raise ProfileNotFoundError(name)
        return profile

    def find(self, name: str | None) -> RuntimeProfile | None:
        """Return the profile, or None."""
        return None if name is None else self._profiles.get(name)

    def find_by_runtime_name(self, runtime_name: str | None) -> RuntimeProfile | None:
        """Return the first profile, by name, that starts this runtime, or None."""
        fitting = (p for _, p in sorted(self._profiles.items()) if p.runtime_name == runtime_name)
        return next(fitting, None)

    def version(self, name: str) -> int:
        """How many times the profile was upserted."""
        return self._versions.get(name, 0)

    def is_outdated(self, instance: Instance) -> bool:
        """Whether an instance was launched from another version of its profile than there is now."""
        current = self._versions.get(instance.runtime_profile or "")
        return instance.facts.managed and current is not None and instance.facts.profile_version != current

    def all(self) -> list[RuntimeProfile]:
        """Return all profiles."""
        return list(self._profiles.values())

    def list_after(self, name: str | None, limit: int) -> list[RuntimeProfile]:
        """Return up to `limit` profiles by name, after `name`."""
        names = sorted(n for n in self._profiles if name is None or n > name)
        return [self._profiles[n] for n in names[:limit]]

    def exec_of(self, name: str | None) -> AnyExec | None:
        """How instances of a profile are launched; None where nothing is, or there is no such profile."""
        return None if name is None else self._details.get(name)

    def all_details(self) -> list[AnyExec]:
        """How instances of each profile are launched that says how."""
        return [details for details in self._details.values() if details is not None]

    def view(self, profile: RuntimeProfile) -> RuntimeProfile:
        """The profile as answers show it: without credentials, and with the state of its environment."""
        return shown(profile, self._environments.view_of(self.exec_of(profile.runtime_profile)))

    async def upsert(self, name: str, body: RuntimeProfileUpsertRequest) -> RuntimeProfile:
        """Add or replace a profile; instances that run keep what they were started with.

        An environment that failed is tried again.

        Raises:
            InvalidRequestError: the name is no valid id.
            InvalidProfileError: its launch details make no sense.
        """
        profile = self._check(name, body)
        await self._put(profile)
        return profile

    async def delete(self, name: str) -> None:
        """Forget a profile.

        Raises:
            ProfileNotFoundError: there is none of this name.
        """
        async with self._writing:
            self.get(name)
            await self._store.delete_profile(name)
            del self._profiles[name], self._versions[name], self._details[name]
        self._environments.keep_only(self._details.values())
        self.on_change()

    def _check(self, name: str, body: RuntimeProfileUpsertRequest) -> RuntimeProfile:
        check_id(name, "runtime_profile")
        check_defaults(body)
        extensions = taken(body.extensions)
        self._environments.check(find_exec(extensions))
        profile = RuntimeProfile.from_dict({"runtime_profile": name, **body.to_dict()})
        profile.extensions = extensions
        return profile

    async def _put(self, profile: RuntimeProfile) -> None:
        name = profile.runtime_profile
        async with self._writing:
            version = self._versions.get(name, 0) + 1
            await self._store.put_profile(ProfileRecord(name, version, profile.to_json()))
            self._versions[name] = version
            self._take(profile)
        self._environments.keep_only(self._details.values())
        self.on_change()

    def _take(self, profile: RuntimeProfile) -> None:
        name = profile.runtime_profile
        self._profiles[name] = profile
        try:
            self._details[name] = find_exec(profile.extensions)
        except InvalidProfileError as exc:  # stored by a release that understood it
            _log.error("profile_unusable", runtime_profile=name, reason=exc.message)
            self._details[name] = None
        self._environments.require(self._details[name])


def check_defaults(body: RuntimeProfileUpsertRequest) -> None:
    """Refuse variables that no program can be given, and a tool registry that is none.

    Raises:
        InvalidProfileError: naming the place.
    """
    if body.defaults is UNSET:
        return
    registry, env = body.defaults.tool_registry_url, body.defaults.env
    if registry is not UNSET and not is_url(registry):
        raise InvalidProfileError("$.defaults.tool_registry_url: use a URL like http://127.0.0.1:8000.")
    for name, value in ({} if env is UNSET else env).items():
        if not name or "=" in name or "\0" in name:
            raise InvalidProfileError(f"$.defaults.env: {name[:60]!r} is not a usable environment variable.")
        if "\0" in value:
            raise InvalidProfileError(f"$.defaults.env: the value of {name[:60]!r} holds a NUL.")
