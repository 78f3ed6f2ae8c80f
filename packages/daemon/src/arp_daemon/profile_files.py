"""Profiles from TOML: one file with a table `[profiles.NAME]` each, or a folder of files `NAME.toml`.

What stands there is what `PUT /v1/admin/runtime-profiles/NAME` takes. `[profiles.NAME.exec]` is short for
`[profiles.NAME.extensions."arp.exec"]`.
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import msgspec

from arp_daemon.environment_recipe import recipe_of
from arp_daemon.errors import InvalidProfileError
from arp_daemon.exec_spec import EXTENSION, PythonExec, find_exec
from arp_daemon.profiles import check_defaults
from arp_model import RuntimeProfileUpsertRequest
from arp_service.errors import InvalidRequestError
from arp_service.ids import check_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TABLE, _SHORT = "profiles", "exec"


class ProfileFileError(Exception):
    """A file of profiles cannot be used; the message names the file and the place."""


def read_profiles(path: Path, interpreters: Mapping[str, Path]) -> dict[str, RuntimeProfileUpsertRequest]:
    """Return the profiles of a file or folder by name; `interpreters` are those that the operator has named.

    Raises:
        ProfileFileError: it cannot be read, or one of them makes no sense.
    """
    if path.is_dir():
        files = sorted(path.glob("*.toml"))
        return {file.stem: _read_profile(file.stem, _read_toml(file), file, "$", interpreters) for file in files}
    document = _read_toml(path)
    tables = document.pop(_TABLE, {})
    if document or not isinstance(tables, dict):
        raise ProfileFileError(f"{path}: write a table [{_TABLE}.NAME] for each profile, and nothing else.")
    return {
        name: _read_profile(name, table, path, f"$.{_TABLE}.{name}", interpreters) for name, table in tables.items()
    }


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as exc:
        raise ProfileFileError(f"{path}: {exc.strerror or exc}.") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ProfileFileError(f"{path}: {exc}.") from exc


def _read_profile(
    name: str, table: Any, path: Path, place: str, interpreters: Mapping[str, Path]
) -> RuntimeProfileUpsertRequest:
    try:
        check_id(name, place)
        # By way of JSON, so that TOML's own types are what a stored profile has in their place.
        profile = RuntimeProfileUpsertRequest.from_json(msgspec.json.encode(_with_extension(table)))
        check_defaults(profile)
        details = find_exec(profile.extensions)
        if isinstance(details, PythonExec):
            recipe_of(details, interpreters)
    except (msgspec.ValidationError, InvalidRequestError) as exc:
        message = str(exc).rstrip(".")
        where = message.replace("$", place) if "$" in message else f"{place}: {message}"
        raise ProfileFileError(f"{path}: {where}.") from exc
    return profile


def _with_extension(table: Any) -> Any:
    """Write out what is short."""
    if not isinstance(table, dict) or _SHORT not in table:
        return table
    extensions = table.get("extensions", {})
    if not isinstance(extensions, dict) or EXTENSION in extensions:
        raise InvalidProfileError(f'$: give either {_SHORT} or extensions."{EXTENSION}".')
    rest = {key: value for key, value in table.items() if key != _SHORT}
    return rest | {"extensions": extensions | {EXTENSION: table[_SHORT]}}
