"""Which endpoints may be registered: how they are written, what the operator allows, and what nobody may."""

from __future__ import annotations

import ipaddress

import pytest

from arp_daemon.allowed_endpoints import AllowedEndpoints, read_pattern
from arp_daemon.endpoint import normal_endpoint, read_endpoint
from arp_daemon.errors import EndpointNotAllowedError
from arp_service.errors import InvalidRequestError
from arp_service.never_called import why_never


def _is_allowed(patterns: list[str], url: str, *leads_to: str) -> bool:
    endpoint = read_endpoint(url, "$")
    allowed = AllowedEndpoints(read_pattern(pattern) for pattern in patterns)
    numbers = [ipaddress.ip_address(number) for number in leads_to or [endpoint.host]]
    try:
        if endpoint.number is None:
            allowed.check_lookup(endpoint)
        allowed.check(endpoint, numbers)
    except EndpointNotAllowedError:
        return False
    return True


@pytest.mark.parametrize(
    ("given", "url", "host", "port"),
    [
        ("http://127.0.0.1:8081", "http://127.0.0.1:8081", "127.0.0.1", 8081),
        ("HTTP://LocalHost:8081/", "http://localhost:8081", "localhost", 8081),
        ("http://runtime.example.com.", "http://runtime.example.com", "runtime.example.com", 80),
        ("http://[::1]:80/base/", "http://[::1]/base", "::1", 80),
    ],
)
def test_an_endpoint_is_read_into_one_form(given: str, url: str, host: str, port: int) -> None:
    """However it is written, equal endpoints are equal, for selectors too."""
    assert read_endpoint(given, "$") == (url, host, port)
    assert normal_endpoint(given) == url


@pytest.mark.parametrize(
    "given",
    [
        "https://127.0.0.1:1",
        "file:///etc/passwd",
        "//127.0.0.1:1",
        "127.0.0.1:8081",
        "http://",
        "http://:8081",
        "http://user@127.0.0.1:1",
        "http://user:secret@127.0.0.1:1",
        "http://@127.0.0.1:1",
        "http://127.0.0.1:1?a=b",
        "http://127.0.0.1:1?",
        "http://127.0.0.1:1#a",
        "http://127.0.0.1:0",
        "http://127.0.0.1:99999",
        "http://127.0.0.1:x",
        "http://[::1",
        "http://[fe80::1%25eth0]:1",
        "http://127.1:1",
        "http://2130706433:1",
        "http://0x7f000001:1",
        "http://0x7f.1:1",
        "http://127.0.0.1.:1/ ",
        "http://127.0.0.1\\@evil.example:1",
        "http://127.0.0.1:1\n",
        "http://b\u00fccher.example:1",
        "http://-x.example:1",
        "http://a_.:1/%0a b",
        "not a url",
    ],
)
def test_what_can_be_read_in_two_ways_is_no_endpoint(given: str) -> None:
    """400 that names the place; as a selector's endpoint it stays as it is, and fits nothing."""
    with pytest.raises(InvalidRequestError, match=r"^\$\.here: "):
        read_endpoint(given, "$.here")
    assert normal_endpoint(given) == given


@pytest.mark.parametrize(
    ("url", "leads_to", "allowed"),
    [
        ("http://127.0.0.1:1", [], True),
        ("http://127.8.8.8:1", [], True),
        ("http://[::1]:1", [], True),
        ("http://localhost:1", ["::1", "127.0.0.1"], True),
        ("http://localhost:1", ["127.0.0.1", "10.0.0.1"], False),
        ("http://10.0.0.1", [], False),
        ("http://8.8.8.8", [], False),
        ("http://[::ffff:127.0.0.1]:1", [], False),
        ("http://localhost.example.com:1", ["127.0.0.1"], False),
    ],
)
def test_without_patterns_only_this_machine_is_allowed(url: str, leads_to: list[str], allowed: bool) -> None:
    """Loopback numbers, and `localhost` where it leads to nothing else; other names are not even looked up."""
    assert _is_allowed([], url, *leads_to) is allowed


@pytest.mark.parametrize(
    ("pattern", "url", "leads_to", "allowed"),
    [
        ("rt.example.com", "http://rt.example.com:1", ["10.0.0.1"], True),
        ("RT.example.com.", "http://rt.example.com:1", ["10.0.0.1"], True),
        ("rt.example.com", "http://a.rt.example.com:1", ["10.0.0.1"], False),
        ("rt.example.com", "http://rt.example.com.evil.org:1", ["10.0.0.1"], False),
        ("rt.example.com", "http://10.0.0.1:1", [], False),
        ("rt.example.com:8081", "http://rt.example.com:8081", ["10.0.0.1"], True),
        ("rt.example.com:8081", "http://rt.example.com:8082", ["10.0.0.1"], False),
        ("rt.example.com:80", "http://rt.example.com", ["10.0.0.1"], True),
        ("*.example.com", "http://a.b.example.com:1", ["10.0.0.1"], True),
        ("*.example.com", "http://example.com:1", ["10.0.0.1"], False),
        ("*.example.com", "http://evilexample.com:1", ["10.0.0.1"], False),
        ("*.example.com:8081", "http://a.example.com:8082", ["10.0.0.1"], False),
        ("10.0.0.0/8", "http://10.200.0.1:1", [], True),
        ("10.0.0.0/8", "http://11.0.0.1:1", [], False),
        ("10.0.0.0/8", "http://any.name:1", ["10.0.0.1", "10.0.0.2"], True),
        ("10.0.0.0/8", "http://any.name:1", ["10.0.0.1", "11.0.0.1"], False),
        ("10.0.0.0/8", "http://[::ffff:10.0.0.1]:1", [], False),
        ("10.0.0.0/8:8081", "http://10.0.0.1:8081", [], True),
        ("10.0.0.0/8:8081", "http://10.0.0.1:8082", [], False),
        ("10.1.2.3", "http://10.1.2.3:9", [], True),
        ("10.1.2.3:9", "http://10.1.2.3:8", [], False),
        ("fd00::/8", "http://[fd00::1]:1", [], True),
        ("fd00::1", "http://[fd00::1]:1", [], True),
        ("[fd00::/8]:8081", "http://[fd00::1]:8081", [], True),
        ("[fd00::/8]:8081", "http://[fd00::1]:8082", [], False),
        ("[fd00::1]:8081", "http://[fd00::2]:8081", [], False),
    ],
)
def test_a_pattern_allows_what_it_says_and_no_more(
    pattern: str,
    url: str,
    leads_to: list[str],
    allowed: bool,
) -> None:
    """Names, names below one, numbers and networks, each at one port or any; and this machine still."""
    assert _is_allowed([pattern], url, *leads_to) is allowed
    assert _is_allowed([pattern], "http://127.0.0.1:1")


def test_the_numbers_of_a_name_may_be_allowed_by_several_patterns() -> None:
    """Each number by one of them."""
    assert _is_allowed(["10.0.0.0/8", "fd00::/8"], "http://any.name:1", "10.0.0.1", "fd00::1")


@pytest.mark.parametrize(
    "number",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "240.0.0.1",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "::ffff:0.0.0.0",
        "::ffff:224.0.0.1",
    ],
)
def test_no_pattern_allows_what_is_never_called(number: str) -> None:
    """By its number, by a name that is allowed, or by one among many numbers of a name."""
    everything = ["0.0.0.0/0", "::/0", "rt.example.com"]
    host = f"[{number}]" if ":" in number else number
    assert why_never(ipaddress.ip_address(number))
    assert not _is_allowed(everything, f"http://{host}:80")
    assert not _is_allowed(everything, "http://rt.example.com:80", "10.0.0.1", number)


@pytest.mark.parametrize("number", ["127.0.0.1", "::1", "10.0.0.1", "8.8.8.8", "fd00::1", "2001:4860::8888"])
def test_an_ordinary_number_may_be_called(number: str) -> None:
    """Where a pattern allows it."""
    assert why_never(ipaddress.ip_address(number)) is None


@pytest.mark.parametrize(
    "text",
    ["", "*", "*.*.example.com", "a.*.com", "10.0.0.1/8", "10.0.0.0/33", "http://a", "a:0", "a:70000", "a:b", "a b",
     "[fd00::1", "[a]:1", "127.1", "ex*mple.com", "a/b", "*.10.0.0.1"],
)  # fmt: skip
def test_a_pattern_that_says_nothing_clear_is_refused(text: str) -> None:
    """At the start of the daemon, with what to write."""
    with pytest.raises(ValueError, match="allows no endpoint"):
        read_pattern(text)
