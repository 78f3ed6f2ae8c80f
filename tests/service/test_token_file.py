"""The file of a service's token."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from structlog.testing import capture_logs

import arp_service.token_file as token_file_module
from arp_sdk._tokens import read_token_file
from arp_service.token_file import TokenFile, TokenFileError, open_token_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN, OTHER = "an-old-token-of-ours", "a-new-token-of-ours!"
_NOBODY = 65534


def _put(path: Path, text: str = TOKEN, mode: int = 0o600) -> Path:
    """Put a file in the place of the one that may be there."""
    draft = path.with_suffix(".draft")
    draft.write_text(text)
    draft.chmod(mode)
    return draft.rename(path)


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """What is logged, of every level, also where another test in this process has set logging up."""
    before = structlog.get_config()
    structlog.reset_defaults()
    monkeypatch.setattr(token_file_module, "_log", structlog.get_logger())
    with capture_logs() as entries:
        yield entries
    structlog.configure(**before)


def test_a_token_is_made_for_its_user_alone_and_stays(tmp_path: Path, logged: list[Any]) -> None:
    """Only the user may read it; clients find the same in it, and so does the next start. Nothing is left beside it."""
    path = tmp_path / "data" / "token"
    made = open_token_file(path)
    told = {"event": "token_in_force", "log_level": "info", "token_file": str(path), "made_now": True}
    assert logged == [told]
    text = path.read_text().strip()
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_nlink, len(text)) == (0o600, 1, 43)
    assert list(path.parent.iterdir()) == [path]
    found = read_token_file(path)
    assert found is not None
    assert found.header() == f"Bearer {text}"
    assert made.holds(text)
    assert open_token_file(path).holds(text)
    assert open_token_file(tmp_path / "other").holds(text) is False


@pytest.mark.parametrize("shown", ["", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), " " + TOKEN, "\xff" * 20])
def test_only_the_whole_token_is_the_token(tmp_path: Path, shown: str) -> None:
    """Nothing less, and nothing more."""
    token_file = TokenFile(_put(tmp_path / "token"))
    assert token_file.holds(TOKEN)
    assert not token_file.holds(shown)


@pytest.mark.parametrize(("mode", "text"), [(0o640, TOKEN), (0o604, TOKEN), (0o602, TOKEN), (0o777, TOKEN)])
def test_a_file_of_others_too_is_refused(tmp_path: Path, mode: int, text: str) -> None:
    """The message says what to do, and does not show the token."""
    with pytest.raises(TokenFileError, match="chmod 600") as caught:
        open_token_file(_put(tmp_path / "token", text, mode))
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "\n", "short", "two words of a token", f"{TOKEN}\n{OTHER}", "x" * 5000, "\u00e9" * 20]
)
def test_what_is_no_token_is_refused(tmp_path: Path, text: str) -> None:
    """Empty, easily guessed, or what no header can carry; an empty file is not filled."""
    path = _put(tmp_path / "token", text)
    with pytest.raises(TokenFileError, match="one line of 16 to 4096 visible ASCII"):
        open_token_file(path)
    assert path.read_text() == text


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A FIFO keeps no service waiting; a link that leads nowhere is not followed to make one there."""
    os.mkfifo(tmp_path / "fifo", 0o600)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    for name, why in {
        "fifo": "regular file",
        ".": "regular file",
        "link": "cannot be read",
        "file/x": "no token can be put",
    }.items():
        with pytest.raises(TokenFileError, match=why):
            open_token_file(tmp_path / name)
    assert not (tmp_path / "nowhere").exists()


def test_a_link_of_ones_own_is_followed(tmp_path: Path) -> None:
    """As secrets are often put in place."""
    _put(tmp_path / "secret")
    (tmp_path / "token").symlink_to(tmp_path / "secret")
    assert open_token_file(tmp_path / "token").holds(TOKEN)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's files")
def test_what_another_user_has_put_there_is_refused(tmp_path: Path) -> None:
    """He would know the token, or have another of our files be it."""
    _put(tmp_path / "secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.lchown(tmp_path / "link", _NOBODY, _NOBODY)
    os.chown(_put(tmp_path / "file"), _NOBODY, _NOBODY)
    for name in ("link", "file"):
        with pytest.raises(TokenFileError, match="another user's"):
            open_token_file(tmp_path / name)


def test_a_token_that_is_replaced_counts_at_once(tmp_path: Path) -> None:
    """The next request needs the new one; the old one is none any more."""
    token_file = TokenFile(_put(tmp_path / "token"))
    _put(tmp_path / "token", OTHER)
    assert (token_file.holds(TOKEN), token_file.holds(OTHER)) == (False, True)


def test_a_token_whose_file_is_spoilt_lets_nobody_in(tmp_path: Path, logged: list[Any]) -> None:
    """Gone, or open to others: told once in the log, without the token, until it is mended."""
    path = _put(tmp_path / "token")
    token_file = TokenFile(path)
    path.chmod(0o644)
    assert [token_file.holds(TOKEN) for _ in range(3)] == [False] * 3
    path.unlink()
    assert [token_file.holds(TOKEN) for _ in range(3)] == [False] * 3
    _put(path)
    assert token_file.holds(TOKEN)
    assert [entry["event"] for entry in logged] == ["token_not_usable", "token_not_usable", "token_replaced"]
    assert TOKEN not in str(logged) + repr(token_file) + str(vars(token_file))
