"""What a document tells its reader to do, step by step, read from its fenced blocks.

| block | what it is |
|---|---|
| any, below a paragraph that ends in "Write `name.ext`:" | a file |
| `sh`, `bash`; without a language where it begins with a command | commands for a shell, one step |
| `console`, or without a language, with lines that begin with `$ ` | a step for each of these, its output below it |
| `python` | a script |
| `text`, right below one of these | the output of that step; `...` stands for anything |
| without a language, or `text`, and without commands | a picture in letters |

Nothing else is known, so that no block is there that nobody runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_WRITE = re.compile(r"\b[Ww]rite `([\w.-]+\.\w+)`[^`]*:\s*\Z")
_PROGRAMS = r"(arp-daemon|arp-runtime|arpctl|curl|git|pip|python3?)\b"


@dataclass(frozen=True)
class Step:
    """One thing that the reader does, and what comes of it where the document shows it."""

    line: int
    kind: Literal["shell", "python", "file", "picture", "unknown"]
    text: str
    name: str = ""
    """Of the file."""
    output: str | None = None


def read_steps(document: str) -> list[Step]:
    """Return the steps of a document in its order."""
    steps: list[Step] = []
    end = 0
    for fence in _FENCE.finditer(document):
        language, text = fence.groups()
        before, line = document[end : fence.start()], document.count("\n", 0, fence.start()) + 1
        end = fence.end()
        if language == "text" and steps and not before.strip():
            steps[-1] = replace(steps[-1], output=text)
        else:
            steps += _steps_of(language, text, before, line)
    return steps


def _steps_of(language: str, text: str, before: str, line: int) -> Iterator[Step]:
    """The steps of one block, `before` being what stands between it and the block above."""
    named = _WRITE.search(before)
    if named:
        yield Step(line, "file", text, name=named[1])
    elif language in {"", "console"} and re.search(r"^\$ ", text, re.MULTILINE):
        yield from _console_steps(text, line)
    elif language in {"sh", "bash"} or (not language and re.match(_PROGRAMS, text)):
        yield Step(line, "shell", text)
    elif language == "python":
        yield Step(line, "python", text)
    else:
        is_picture = language in {"", "text"} and not re.search(rf"^\s*{_PROGRAMS}", text, re.MULTILINE)
        yield Step(line, "picture" if is_picture else "unknown", text)


def _console_steps(text: str, line: int) -> Iterator[Step]:
    """A command goes on where a line ends with a backslash; what follows is its output."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, output = re.split(r"(?<!\\)\n", part, maxsplit=1)
        yield Step(line, "shell", command, output=output if output.strip() else None)
