"""Importing what somebody named on a command line: a module, or a Python file."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType


class ModuleNotLoadableError(Exception):
    """The module cannot be had; the message says why, and where its own code went wrong."""


def import_named(name: str) -> ModuleType:
    """Import `package.module`, looked for in the current folder first, or the file `./name.py`.

    Raises:
        ModuleNotLoadableError: there is no such module or file, or importing it failed.
    """
    is_file = name.endswith(".py") or "/" in name
    try:
        return _import_file(name) if is_file else _import_module(name)
    except ModuleNotLoadableError:
        raise
    except (Exception, SystemExit) as exc:
        raise ModuleNotLoadableError(f"{type(exc).__name__}: {_with_place(exc)}") from exc


def _import_module(name: str) -> ModuleType:
    _look_first_in(Path.cwd())
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{name}.".startswith(f"{exc.name}."):
            raise  # it is there, and needs another one
        raise ModuleNotLoadableError(f"there is no module {exc.name!r}, neither in {Path.cwd()} nor installed") from exc


def _import_file(name: str) -> ModuleType:
    """A file's module has the file's name, and finds its neighbours."""
    path = Path(name).resolve()
    if not path.is_file():
        raise ModuleNotLoadableError(f"there is no file {path}")
    _look_first_in(path.parent)
    known = sys.modules.get(path.stem)
    if known is not None:
        if getattr(known, "__file__", None) != str(path):
            raise ModuleNotLoadableError(f"another module is called {path.stem!r} already; rename the file")
        return known
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ModuleNotLoadableError(f"{name} is no Python file; its name ends in .py")
    sys.modules[path.stem] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[path.stem]
        raise
    return module


def _look_first_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _with_place(exc: BaseException) -> str:
    """The message, and the line of somebody's own code that raised it."""
    if isinstance(exc, SyntaxError):
        return f"{exc.msg} ({exc.filename}, line {exc.lineno})"
    frames = [f for f in traceback.extract_tb(exc.__traceback__) if not _is_machinery(f.filename)]
    return f"{exc} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else str(exc)


def _is_machinery(file: str) -> bool:
    return file.startswith("<frozen") or file == importlib.__file__ or Path(__file__).parent in Path(file).parents
