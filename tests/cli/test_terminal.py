"""arpctl on a terminal: it moves while one waits, and leaves the terminal as it was."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest

from arp_cli.event_lines import LABEL_WIDTH
from arp_cli.terminal_view import break_line
from cli.arpctl import arpctl, on_a_terminal, screen

if TYPE_CHECKING:
    from support.daemon import RunningDaemon

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def words(written: str) -> str:
    return SEQUENCE.sub("", written).replace("\r", "")


async def test_a_run_that_waits_and_one_that_works_show_that_they_do(daemon: RunningDaemon, url: str) -> None:
    """A spinner tells the state until the end; then it is gone, and the cursor is back."""
    await daemon.put_profile("late", driver="runtime", max=1)
    async with on_a_terminal("run", "count to 3 slowly", "--profile", "late", url=url) as terminal:
        await terminal.read_until("queued 0 s")
        await terminal.read_until("running ")
        assert await terminal.end() == 0
    shown = screen(terminal.written)
    assert shown[1:3] == ["  step         plan  action=count to=3", "  token        1 2 3"]
    assert shown[-2:] == ["Counted to 3.", ""]
    assert not [line for line in shown if "running" in line]
    assert terminal.written.rindex(SHOW) > terminal.written.rindex(HIDE)


async def test_a_long_answer_scrolls_by_in_whole_lines(url: str) -> None:
    """What has scrolled by is there once, broken between words, under its label."""
    async with on_a_terminal("run", "count to 60 quickly", url=url) as terminal:
        assert await terminal.end() == 0
    shown = screen(terminal.written)
    start = next(number for number, line in enumerate(shown) if line.startswith("  token        1 "))
    end = next(number for number, line in enumerate(shown) if line.startswith("succeeded"))
    assert {line[:LABEL_WIDTH] for line in shown[start + 1 : end]} == {" " * LABEL_WIDTH}
    assert max(map(len, shown)) <= 80
    assert " ".join(line[LABEL_WIDTH:] for line in shown[start:end]) == " ".join(map(str, range(1, 61)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_leaving_gives_the_cursor_back(number: signal.Signals, url: str) -> None:
    """Also when it is ended by a signal."""
    run_id = f"seen-{number.name}"
    async with on_a_terminal("run", "count to 100000 slowly", "--run-id", run_id, url=url) as terminal:
        await terminal.read_until("running ")
        terminal.process.send_signal(number)
        assert await terminal.end() == 128 + number
    assert terminal.written.rindex(SHOW) > terminal.written.rindex(HIDE)
    assert f"arpctl watch {run_id}" in words(terminal.written)
    assert (await arpctl("cancel", run_id, url=url)).code == 0


async def test_a_terminal_that_can_do_little_gets_plain_lines(url: str) -> None:
    """No control sequence at all."""
    async with on_a_terminal("run", "count to 3", url=url, TERM="dumb") as terminal:
        assert await terminal.end() == 0
    assert "\x1b" not in terminal.written
    assert "  token        1 2 3\r\n" in terminal.written


async def test_lists_have_colours_and_ages_on_a_terminal(daemon: RunningDaemon, url: str) -> None:
    """What succeeded is green, unless NO_COLOR is set."""
    await daemon.end(await daemon.submit("hello"))
    async with on_a_terminal("runs", "--limit", "1", url=url) as terminal:
        assert await terminal.end() == 0
    assert "\x1b[32msucceeded" in terminal.written
    assert " ago  " in words(terminal.written)
    async with on_a_terminal("runs", "--limit", "1", url=url, NO_COLOR="1") as terminal:
        assert await terminal.end() == 0
    assert "\x1b[32m" not in terminal.written


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [""]),
        ("short ", ["short "]),
        ("aaaa bbbb cccc ", ["aaaa bbbb", "cccc "]),
        ("a" * 25, ["a" * 10, "a" * 10, "a" * 5]),
        ("日本語日本語日", ["日本語日本", "語日"]),
        ("word " * 5, ["word word", "word word", "word "]),
    ],
)
def test_lines_are_broken_between_words(text: str, expected: list[str]) -> None:
    """By the cells that letters take; a word that is too long is broken within."""
    assert break_line(text, 10) == expected


def test_a_very_long_line_is_broken_in_time_that_grows_with_its_length() -> None:
    """An agent may send a book as one token."""
    assert len(break_line("word " * 100_000, 50)) == 10_000
