"""The safe list: which runtime profiles there are. Owns them in memory, on top of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from arp_daemon.errors import ProfileNotFoundError
from arp_daemon.exec_spec import find_exec
from arp_daemon.selector import DEFAULT_PROFILE
from arp_daemon.store import ProfileRecord
from arp_model import RuntimeProfile, RuntimeProfileUpsertRequest
from arp_service.ids import check_id

if TYPE_CHECKING:
    from arp_daemon.store import Store

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

    def __init__(self, store: Store) -> None:
        self._store = store
        self._profiles: dict[str, RuntimeProfile] = {}
        self._versions: dict[str, int] = {}

    async def load(self) -> None:
        """Read the stored profiles; a fresh store gets the built-in one. Call once, at start."""
        records = await self._store.list_profiles()
        for record in records:
            self._profiles[record.name] = RuntimeProfile.from_json(record.body)
            self._versions[record.name] = record.version
        if not records:
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

    def list_after(self, name: str | None, limit: int) -> list[RuntimeProfile]:
        """Return up to `limit` profiles by name, after `name`."""
        names = sorted(n for n in self._profiles if name is None or n > name)
        return [self._profiles[n] for n in names[:limit]]

    async def upsert(self, name: str, body: RuntimeProfileUpsertRequest) -> RuntimeProfile:
        """Add or replace a profile; instances that run keep what they were started with.

        Raises:
            InvalidRequestError: the name is no valid id.
            InvalidProfileError: its launch details make no sense.
        """
        check_id(name, "runtime_profile")
        find_exec(body.extensions)
        profile = RuntimeProfile.from_dict({"runtime_profile": name, **body.to_dict()})
        await self._put(profile)
        return profile

    async def delete(self, name: str) -> None:
        """Forget a profile.

        Raises:
            ProfileNotFoundError: there is none of this name.
        """
        self.get(name)
        await self._store.delete_profile(name)
        del self._profiles[name], self._versions[name]

    async def _put(self, profile: RuntimeProfile) -> None:
        name = profile.runtime_profile
        version = self._versions.get(name, 0) + 1
        await self._store.put_profile(ProfileRecord(name, version, profile.to_json()))
        self._profiles[name], self._versions[name] = profile, version
