"""Commands that are forked, each of them, from one process that has loaded their program, as a launcher does it.

To load a program takes half a second, and most commands in the tests are over after some milliseconds more. What is
forked is a process with arguments, environment, folder, streams and an exit code of its own. That a program starts
when it is executed, and what it must not load then, is for other tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from anyio import to_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIMEOUT_S = 60
# In a fork the loop is left, and the program ends as any other does.
_TEMPLATE = f"""
import importlib, json, os, signal, sys
program, *more = [importlib.import_module(name) for name in sys.argv[1:]]
for line in sys.stdin:
    asked = json.loads(line)
    if os.fork() == 0:
        break
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
else:
    sys.exit()
signal.alarm({_TIMEOUT_S})
os.chdir(asked["cwd"])
os.environ.clear()
os.environ.update(asked["env"])
for fd, path, flags in ((0, os.devnull, os.O_RDONLY), (1, asked["out"], os.O_WRONLY), (2, asked["err"], os.O_WRONLY)):
    os.dup2(os.open(path, flags | os.O_CREAT, 0o600), fd)
sys.argv = asked["argv"]
sys.path[0] = asked["cwd"]
program.main()
"""


class Done(NamedTuple):
    """How a command has ended, and what it said."""

    code: int
    out: str
    err: str


class ForkedCommands:
    """Runs the commands of one program, one at a time."""

    def __init__(self, name: str, template: subprocess.Popen[str], folder: Path) -> None:
        self._name = name
        self._template = template
        self._folder = folder
        self._lock = Lock()

    async def run(self, *argv: str, cwd: Path, env: Mapping[str, str] | None = None) -> Done:
        """Run the program with these arguments, in a folder, with these variables beside the usual ones."""
        return await to_thread.run_sync(self._run, argv, str(cwd), {**os.environ, **(env or {})})

    def _run(self, argv: tuple[str, ...], cwd: str, env: dict[str, str]) -> Done:
        out, err = self._folder / "out", self._folder / "err"
        asked = {"argv": [self._name, *argv], "cwd": cwd, "env": env, "out": str(out), "err": str(err)}
        assert self._template.stdin
        assert self._template.stdout
        with self._lock:
            self._template.stdin.write(json.dumps(asked) + "\n")
            self._template.stdin.flush()
            code = int(self._template.stdout.readline())
            done = Done(code, out.read_text(encoding="utf-8"), err.read_text(encoding="utf-8"))
            for path in (out, err):
                path.unlink()
        return done


@contextmanager
def forked_commands(name: str, *modules: str) -> Iterator[ForkedCommands]:
    """Load the modules, the first of which has the `main` of the program `name`, and fork its commands in the block."""
    with TemporaryDirectory() as folder:
        template = subprocess.Popen(
            [sys.executable, "-c", _TEMPLATE, *modules], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with template:
            yield ForkedCommands(name, template, Path(folder))
