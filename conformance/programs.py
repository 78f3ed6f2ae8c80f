"""Starting the programs under test, where no URL of a running one is given."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Running work gets its grace, then streams and connections are closed.
_STOP_TIMEOUT_S = 40


@contextmanager
def serving(program: str, log: Path, *options: str) -> Iterator[str]:
    """Run `PROGRAM serve` of this Python's environment; yield its base URL, and stop it at the end.

    It is given a socket that already listens, so its URL is known and requests wait until it is ready.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener, log.open("wb") as output:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        command = [str(Path(sys.executable).with_name(program)), "serve", "--host", f"fd://{listener.fileno()}"]
        process = subprocess.Popen(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[listener.fileno()],
        )
    try:
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(_STOP_TIMEOUT_S)
        finally:
            process.kill()
    assert code == 0, f"{program} ended with {code}:\n{log.read_text()}"
