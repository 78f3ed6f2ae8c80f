"""Artifacts: what a run makes that is too large, or of the wrong kind, to stand in its result."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import platformdirs

from arp_model import ResourceRef
from arp_runtime.errors import InvalidArtifactError
from arp_service.errors import InvalidRequestError
from arp_service.ids import check_id


def default_artifacts_dir() -> Path:
    """The folder for artifacts in the user's data folder for this program."""
    return Path(platformdirs.user_data_dir("arp-runtime", appauthor=False), "artifacts")


class ArtifactFolder:
    """Keeps the artifacts of all runs as files: `FOLDER/RUN_ID/NAME`. They stay until somebody deletes them."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def write(self, run_id: str, name: str, content: str | bytes) -> ResourceRef:
        """Write an artifact, whole or not at all, in the place of an earlier one of this name. Blocks.

        Raises:
            InvalidArtifactError: it cannot be a file's name, or the file cannot be written.
        """
        folder = self.path / check_name(run_id)
        path = folder / check_name(name)
        unfinished = folder / f".{name}.{os.urandom(4).hex()}"
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            unfinished.write_bytes(content.encode() if isinstance(content, str) else content)
            unfinished.replace(path)
        except (OSError, UnicodeEncodeError) as exc:
            with suppress(OSError):
                unfinished.unlink()
            raise InvalidArtifactError(f"The artifact {name!r} cannot be written: {exc}.") from exc
        return _ref(name, path.as_uri())


def make_artifact(
    folder: ArtifactFolder, run_id: str, name: str, content: str | bytes | None, uri: str | None
) -> ResourceRef:
    """Make an artifact of content, or of what is already at `uri`. Blocks.

    Raises:
        InvalidArtifactError: see `ArtifactFolder.write`; or neither or both are given.
    """
    if (content is None) == (uri is None):
        raise InvalidArtifactError(f"The artifact {name!r} needs either content or a uri.")
    return _ref(check_name(name), str(uri)) if content is None else folder.write(run_id, name, content)


def _ref(name: str, uri: str) -> ResourceRef:
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
