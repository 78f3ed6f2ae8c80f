"""Rotation, tails and pruning, on real files."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arp_daemon.launcher.logs import RotatedLog, kept_bytes, prune_logs, read_piece, tail_lines, tail_position


@given(st.lists(st.binary(max_size=150), max_size=40))
def test_a_log_keeps_the_end_of_what_was_written_within_its_bound(chunks: list[bytes]) -> None:
    """Two files of at most `max_bytes`, which together are the end of all that was written."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "out.log")
        log = RotatedLog(path, max_bytes=100)
        for chunk in chunks:
            log.write(chunk)
        log.close()
        older = path.with_name("out.log.1")
        parts = [file.read_bytes() for file in (older, path) if file.exists()]
    assert all(len(part) <= 100 for part in parts)
    # A chunk over the bound loses its beginning, and only that.
    written = b"".join(chunk[-100:] for chunk in chunks)
    assert written.endswith(b"".join(parts))
    assert len(b"".join(parts)) >= min(len(written), 1)


@given(st.lists(st.binary(min_size=1, max_size=90), max_size=20), st.integers(1, 70), st.integers(0, 2000))
def test_a_reader_gets_every_byte_that_is_kept_once_and_is_told_how_many_are_not(
    chunks: list[bytes], size: int, start: int
) -> None:
    """From any position, in pieces of any size, over the rotation."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "out.log")
        log = RotatedLog(path, max_bytes=100)
        for chunk in chunks:
            log.write(chunk)
        log.close()
        written = b"".join(chunks)
        first = len(written) - kept_bytes(path)
        read, position, lost = b"", start, []
        while piece := read_piece(path, log.end, position, size):
            lost.append(piece.lost)
            read, position = read + piece.data, piece.position
            if not piece.data:
                break
    assert log.end == len(written)
    assert read == written[max(start, first) :]
    assert lost[0] == max(0, first - start)
    assert not any(lost[1:])


@given(st.lists(st.sampled_from([b"a", b"bc\n", b"\n", b"def"]), max_size=12), st.integers(0, 12))
def test_the_tail_begins_where_the_last_lines_begin(chunks: list[bytes], lines: int) -> None:
    """An unfinished line counts; the line break at the very end begins none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "out.log")
        written = b"".join(chunks)
        path.write_bytes(written)
        start = tail_position(path, len(written), lines)
    wanted = b"".join(written.splitlines(keepends=True)[-lines:]) if lines else b""
    assert written[start:] == wanted


def test_a_log_goes_on_where_it_was(tmp_path: Path) -> None:
    """An instance that is launched again under its id appends, and the bound still holds."""
    for word in (b"one\n", b"two\n", b"three\n"):
        log = RotatedLog(tmp_path / "out.log", max_bytes=9)
        log.write(word)
        log.close()
    assert (tmp_path / "out.log.1").read_bytes() == b"one\ntwo\n"
    assert tail_lines(tmp_path / "out.log", 2) == "two\nthree\n"


def test_a_tail_crosses_files_and_survives_bytes_that_are_no_text(tmp_path: Path) -> None:
    """Whatever an instance prints can be shown."""
    (tmp_path / "out.log.1").write_bytes(b"a\nb\n\xff")
    (tmp_path / "out.log").write_bytes(b"c\nunfinished")
    assert tail_lines(tmp_path / "out.log", 2) == "\N{REPLACEMENT CHARACTER}c\nunfinished"
    assert tail_lines(tmp_path / "out.log", 99) == "a\nb\n\N{REPLACEMENT CHARACTER}c\nunfinished"
    assert tail_lines(tmp_path / "out.log", 0) == ""
    with pytest.raises(FileNotFoundError):
        tail_lines(tmp_path / "other.log", 1)


def test_the_oldest_folders_go_and_live_instances_stay(tmp_path: Path) -> None:
    """Logs are bounded in number as well; what is no instance's is left alone."""
    for age, name in enumerate(["new", "middle", "old", "older-but-live", "_template"]):
        folder = tmp_path / name
        folder.mkdir()
        os.utime(folder, ns=(0, 10_000 - age))
    (tmp_path / "launcher.log").touch()
    prune_logs(tmp_path, keep=2, live={"older-but-live"})
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"new", "middle", "older-but-live", "_template", "launcher.log"}
