"""Where instances put their Unix sockets: each in a folder that is its user's alone.

They are not in the data dir, because a path in an address ends at 107 bytes (unix(7)), and another user could not
reach it there. A link in the data dir tells the next launcher what to remove.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from arp_daemon.launcher.errors import LaunchFailedError

if TYPE_CHECKING:
    from arp_daemon.launcher.users import User

__all__ = ["SocketFolder"]

_SOCKET = "http.sock"
# sun_path has 108 bytes, and the last is a NUL.
_PATH_BYTES = 107


class SocketFolder:
    """Made when it is first needed, below the folder for temporary files, and removed with all that is in it."""

    def __init__(self, link: Path, mark: str) -> None:
        """Remove what an earlier launcher left. `link` is where its place is kept, `mark` the launcher's id."""
        self._link = link
        # A copy of the data dir has the link as well, but another mark.
        self._prefix = f"arp-{mark[:8]}-"
        self._numbers = count(1)
        self.close()

    def make(self, user: User | None) -> Path:
        """Return the path for a new instance's socket, in a folder for `user` (None: this one) alone.

        Raises:
            LaunchFailedError: it would be too long for an address.
            OSError: it cannot be made.
        """
        folder = self._folder() / str(next(self._numbers))
        path = folder / _SOCKET
        if len(bytes(path)) > _PATH_BYTES:
            raise LaunchFailedError(f"{path} is too long for a Unix socket; start the daemon with a shorter TMPDIR.")
        folder.mkdir(mode=0o700)
        if user is not None:
            os.chown(folder, user.uid, user.gid)
        return path

    def remove(self, path: Path) -> None:
        """Remove what `make` returned, and whatever its instance put beside it."""
        shutil.rmtree(path.parent, ignore_errors=True)

    def close(self) -> None:
        """Remove everything. Called at the end, when no instance is left."""
        with suppress(OSError):
            folder = self._link.readlink()
            # Somebody else may have put another folder there meanwhile.
            if folder.name.startswith(self._prefix) and folder.lstat().st_uid == os.geteuid():
                shutil.rmtree(folder, ignore_errors=True)
        self._link.unlink(missing_ok=True)

    def _folder(self) -> Path:
        with suppress(OSError):
            return self._link.readlink()
        folder = Path(tempfile.mkdtemp(prefix=self._prefix))
        # Users of instances pass through it, and see nothing of it.
        folder.chmod(0o711)
        self._link.symlink_to(folder)
        return folder
