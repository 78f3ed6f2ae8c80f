"""What an environment may be made from."""

from __future__ import annotations

import pytest

from arp_daemon.pinning import check_index, check_pinned


@pytest.mark.parametrize(
    "requirement",
    [
        "a==1.0",
        "a[x,y] == 1.0.post1",
        "a==v0.1.0",
        "a===odd",
        'a==1; python_version >= "3.11"',
        "a @ https://host/a-1-py3-none-any.whl",
        "a @ file:///folder/a",
        "file:///folder/a",
        "git+https://host/a@1234",
        "/folder/a-1.tar.gz",
    ],
)
def test_one_version_or_one_place_is_pinned(requirement: str) -> None:
    """As PEP 508 writes it, or as installers take a URL or an absolute path."""
    check_pinned(requirement)


@pytest.mark.parametrize(
    "requirement",
    [
        "a",
        "a>=1",
        "a~=1.0",
        "a==1.*",
        "a!=1",
        "./a",
        "-r other.txt",
        "--index-url=https://host",
        "a==1 --index-url https://host",
        "/a --config-settings=x",
        "https://host/a --config-settings=x",
        "a==1\n--index-url https://host",
        "a==1\r-e .",
        "",
    ],
)
def test_what_may_be_another_tomorrow_or_says_more_is_refused(requirement: str) -> None:
    """Ranges, relative paths, options, and several lines in one."""
    with pytest.raises(ValueError, match="requirement"):
        check_pinned(requirement)


def test_a_refusal_shows_no_credentials() -> None:
    """Not even where nothing else is right."""
    for check in (check_pinned, check_index):
        with pytest.raises(ValueError, match="host") as caught:
            check("a b https://user:pass@host/x y")
        assert "pass" not in str(caught.value)


@pytest.mark.parametrize("place", ["https://host/simple", "http://127.0.0.1:1", "file:///wheels"])
def test_an_index_is_a_url(place: str) -> None:
    """Of a kind that both installers take."""
    check_index(place)


@pytest.mark.parametrize("place", ["/wheels", "ftp://host", "https://host/a b", "https://a,https://b", "", "--pre"])
def test_an_index_is_nothing_else(place: str) -> None:
    """A blank or a comma would make two of it."""
    with pytest.raises(ValueError, match="without blanks"):
        check_index(place)


def test_links_may_be_in_a_folder() -> None:
    """By its absolute path."""
    check_index("/wheels", path_too=True)
    with pytest.raises(ValueError, match="absolute path"):
        check_index("wheels", path_too=True)
