"""Artifacts: what a run makes that is too large, or of the wrong kind, to stand in its result."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from arp_model import UNSET, ResourceRef
from arp_runtime.errors import InvalidArtifactError
from arp_service.errors import InvalidRequestError
from arp_service.ids import check_id

if TYPE_CHECKING:
    from arp_model import UnsetType


def default_artifacts_dir() -> Path:
    """The folder for artifacts in the user's data folder for this program."""
    return Path(platformdirs.user_data_dir("arp-runtime", appauthor=False), "artifacts")


class ArtifactFolder:
    """Keeps the artifacts of all runs as files: `FOLDER/RUN_ID/NAME`. They stay until somebody deletes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, run_id: str, name: str, content: str | bytes) -> ResourceRef:
        """Write an artifact, whole or not at all, in the place of an earlier one of this name. Blocks.

        Raises:
            InvalidArtifactError: it cannot be a file's name, or the file cannot be written.
        """
        folder = self._folder / check_name(run_id)
        path = folder / check_name(name)
        unfinished = folder / f".{name}.{os.urandom(4).hex()}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
            unfinished.replace(path)
        except (OSError, UnicodeEncodeError) as exc:
            unfinished.unlink(missing_ok=True)
            raise InvalidArtifactError(f"The artifact {name!r} cannot be written: {exc}.") from exc
        return artifact_ref(name, path.absolute().as_uri())


def artifact_ref(name: str, uri: str | UnsetType = UNSET) -> ResourceRef:
    """The entry of a result's `artifacts`."""
    return ResourceRef(type_="artifact", id=name, uri=uri)


def check_name(name: str) -> str:
    """Return the name if a file may have it.

    Raises:
        InvalidArtifactError: it is none of 1 to 128 letters, digits, `.`, `_` and `-`.
    """
    try:
        return check_id(name, "name")
    except InvalidRequestError as exc:
        raise InvalidArtifactError(f"An artifact's {exc.message}") from exc
