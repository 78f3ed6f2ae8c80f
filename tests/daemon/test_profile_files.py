"""Profiles from TOML: put at start, where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from arp_daemon.profile_files import ProfileFileError, read_profiles
from support.daemon import running_daemon

if TYPE_CHECKING:
    from support.forked import ForkedCommands

_FILE = """
[profiles.fast]
description = "for quick work"
defaults.env = {MODEL = "small"}

[profiles.fast.exec]
driver = "runtime"
max = 3

[profiles.labels.metadata]
labels = {team = "blue"}
"""


def _read(tmp_path: Path, text: str) -> dict[str, Any]:
    path = tmp_path / "profiles.toml"
    path.write_text(text)
    return {name: profile.to_dict() for name, profile in read_profiles(path, {}).items()}


def test_a_file_has_a_table_a_profile(tmp_path: Path) -> None:
    """What stands in it is what a PUT takes; `exec` is short for the extension."""
    assert _read(tmp_path, _FILE) == {
        "fast": {
            "description": "for quick work",
            "defaults": {"env": {"MODEL": "small"}},
            "extensions": {"arp.exec": {"driver": "runtime", "max": 3}},
        },
        "labels": {"metadata": {"labels": {"team": "blue"}}},
    }


def test_a_folder_has_a_file_a_profile(tmp_path: Path) -> None:
    """Its name is the file's; other files are left alone."""
    (tmp_path / "a.toml").write_text('description = "one"\n')
    (tmp_path / "b.toml").write_text('[extensions."arp.exec"]\ndriver = "command"\ncommand = ["x"]\n')
    (tmp_path / "README").write_text("not ours")
    found = read_profiles(tmp_path, {})
    assert sorted(found) == ["a", "b"]
    assert found["a"].description == "one"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[profiles.a]\n= 1", "line 2"),
        ("[profiles.a]\nmax = 1", "$.profiles.a: "),
        ("[profiles.a.exec]\ndriver = 'shell'", "$.profiles.a.extensions"),
        ("[profiles.a.exec]\ndriver = 'runtime'\nmax = 0", ".max"),
        ("[profiles.a.exec]\ndriver = 'python'\nrequirements = ['x']\nagent = 'x:y'", "'x' is not pinned"),
        ("[profiles.a.exec]\ndriver = 'python'\npython = 'no'\nrequirements = []\ncommand = ['x']", "--interpreter"),
        ("[profiles.a.defaults.env]\n'A=B' = 'x'", "$.profiles.a.defaults.env"),
        ("[profiles.'a/b']\ndescription = 'x'", "a/b"),
        ("[profiles.a.exec]\n[profiles.a.extensions.'arp.exec']", "either exec or"),
        ("profiles = 3", "table [profiles.NAME]"),
        ("[profile.a]\ndescription = 'x'", "table [profiles.NAME]"),
    ],
)
def test_a_broken_file_is_named_with_the_place(tmp_path: Path, text: str, place: str) -> None:
    """The file, and where in it."""
    with pytest.raises(ProfileFileError) as caught:
        _read(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'profiles.toml'}: ")
    assert place in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """A daemon that starts without its profiles would be of no use."""
    with pytest.raises(ProfileFileError, match="No such file"):
        read_profiles(tmp_path / "nothing", {})
    (tmp_path / "latin.toml").write_bytes(b"description = '\xe9'")
    with pytest.raises(ProfileFileError, match=r"latin\.toml"):
        read_profiles(tmp_path, {})


async def test_profiles_are_put_at_start_where_they_differ(tmp_path: Path) -> None:
    """A restart with the same file changes nothing; another file is another version."""
    path = tmp_path / "profiles.toml"
    path.write_text(_FILE)
    async with running_daemon(tmp_path / "data", "--profiles", str(path)) as daemon:
        shown = (await daemon.get("/v1/admin/runtime-profiles"))["profiles"]
        assert [p["runtime_profile"] for p in shown] == ["default", "fast", "labels"]
        versions = []
        for text in (_FILE, _FILE.replace("max = 3", "max = 4")):
            path.write_text(text)
            await daemon.stop()
            await daemon.start("--profiles", str(path))
            created = await daemon.client.post("/v1/instances", json={"runtime_profile": "fast"})
            (instance,) = created.json()["instances"]
            versions.append(instance["extensions"]["arp.profile_version"])
        assert versions == [1, 2]


async def test_a_broken_file_stops_the_start(tmp_path: Path, arp_daemon: ForkedCommands) -> None:
    """With one line that names it, and before anything is touched."""
    path = tmp_path / "profiles.toml"
    path.write_text("[profiles.a]\nmax = 1")
    command = ("serve", "--port", "0", "--data-dir", str(tmp_path / "data"), "--profiles", str(path))
    done = await arp_daemon.run(*command, cwd=tmp_path)
    assert done.code == 1
    assert done.err.startswith(f"arp-daemon: {path}: ")
    assert not (tmp_path / "data").exists()
