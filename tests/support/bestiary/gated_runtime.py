"""A runtime that waits before it serves. For `{host}` `{port}`.

Usage: gated_runtime.py FOLDER HOST PORT. It starts when FOLDER has a file `go`, but for the first of them where FOLDER
has a file `one-fails`: the others start at once, and that one ends when there is a `go`.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path


def main(folder: Path, host: str, port: str) -> None:
    one_fails = (folder / "one-fails").exists()
    try:
        (folder / "first").touch(exist_ok=False)
    except FileExistsError:
        first = False
    else:
        first = True
    while (first or not one_fails) and not (folder / "go").exists():
        time.sleep(0.02)
    if first and one_fails:
        sys.exit("no licence left")
    plain = Path(__file__).parent / "plain_runtime.py"
    os.execv(sys.executable, [sys.executable, str(plain), host, port])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
