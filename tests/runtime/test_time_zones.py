"""Time zones by the names that people use."""

from __future__ import annotations

from importlib.resources import files

import pytest

from arp_runtime.tools.builtin.time_zones import find_time_zone


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("UTC", "UTC"),
        ("utc", "UTC"),
        ("Tokyo", "Asia/Tokyo"),
        ("europe/berlin", "Europe/Berlin"),
        ("  New   York ", "America/New_York"),
    ],
)
def test_known_names(name: str, key: str) -> None:
    """Full names and last parts, in any case."""
    zone = find_time_zone(name)
    assert zone is not None
    assert zone.key == key


@pytest.mark.parametrize("name", ["", "Atlantis", "../../etc/passwd", "Europe/"])
def test_unknown_names(name: str) -> None:
    """Nothing is looked up in the file system by a name that a client gave."""
    assert find_time_zone(name) is None


def test_every_iana_zone_is_found() -> None:
    """Each name of the time zone database means itself."""
    for key in (files("tzdata") / "zones").read_text(encoding="utf-8").split():
        zone = find_time_zone(key)
        assert zone is not None
        assert zone.key == key
