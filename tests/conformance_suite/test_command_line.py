"""`arp-check` as a command: what it takes, what it writes, and how it ends."""

from __future__ import annotations

import json
import socket
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree as ET

import httpx
import pytest
from conformance.patience import PatientTransport

from conformance_suite.arp_check import arp_check, arp_checks
from support.bestiary.answering import answering
from support.bestiary.flawed_runtime import TOKEN, Flaw, flawed_runtime

_GAP = """\
services:
  - service_name: flawed
    service_version: "0.1"
    gaps:
      - requirement: errors.envelope
        reason: It has errors of its own.
"""


def test_it_writes_each_report_where_it_is_told_to(tmp_path: Path) -> None:
    """Several at once; a token from a file lets it in."""
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    options = ("--tier=smoke", "--token-file", str(tmp_path / "token"))
    reports = ("--report", f"junit={tmp_path / 'out.xml'}", "--report", f"json={tmp_path / 'out.json'}")
    with flawed_runtime(Flaw.ASKS_FOR_A_TOKEN) as url:
        result = arp_check("runtime", url, *options, *reports, "--report", "text")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith(f"flawed 0.1, a runtime at {url}\n")
    assert json.loads((tmp_path / "out.json").read_text())["tier"] == "smoke"
    assert ET.parse(tmp_path / "out.xml").getroot().tag == "testsuites"


def test_a_known_gap_is_told_as_one_and_accepted_where_that_is_asked_for(tmp_path: Path) -> None:
    """The reason comes from the file; it holds for the release that it names."""
    gaps = tmp_path / "gaps.yaml"
    gaps.write_text(_GAP)
    with flawed_runtime(Flaw.OWN_ERRORS) as url:
        ask = ("runtime", url, "--tier=smoke", "--known-gaps", str(gaps), "--report=json")
        told, accepted = arp_checks([ask, (*ask, "--accept-known-gaps")])
    assert told.exit_code == 1
    assert (accepted.exit_code, accepted.ids("known gap"), accepted.ids("failed")) == (0, {"errors.envelope"}, set())
    assert "It has errors of its own." in accepted.stdout


def test_a_tier_of_looks_makes_no_runs() -> None:
    """What is looked at before anybody trusts the suite changes nothing."""
    with flawed_runtime(Flaw.NEVER_ENDS, Flaw.OTHER_STATUS) as url:
        results = arp_checks([("runtime", url, f"--tier={tier}", "--report=json") for tier in ("smoke", "surface")])
    assert [result.exit_code for result in results] == [0, 0]
    assert not [result.stdout for result in results if "run.submit" in result.stdout]


def test_what_cannot_be_judged_is_an_error_of_its_own() -> None:
    """With a line that says why: nobody there, no way in, no such URL, file or option."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with flawed_runtime(Flaw.ASKS_FOR_A_TOKEN) as closed:
        cases = {
            (nobody,): "nothing answers",
            ("127.0.0.1:8081",): "no URL",
            ("http://[",): "no URL",
            (closed,): "asks for a token",
            (closed, "--token-file", "no-such-file"): "no-such-file",
            (closed, "--report", "xml=out.xml"): "FORM",
        }
        results = arp_checks([("runtime", *arguments) for arguments in cases])
        for (arguments, why), result in zip(cases.items(), results, strict=True):
            assert (result.exit_code, result.stdout) == (2, ""), arguments
            assert why in result.stderr
            assert "Traceback" not in result.stderr


def test_an_answer_that_cannot_be_read_is_an_error_of_its_own() -> None:
    """What is there speaks HTTP, but says that its bodies are compressed, which they are not."""
    with answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nno") as url:
        result = arp_check("runtime", url)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "cannot be read" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_answer_that_trickles_has_an_end() -> None:
    """It is a timeout, although there is always one more byte; an event stream may go on."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n\r\n"
    with (
        answering(head % b"application/json", endless=b" ") as url,
        httpx.Client(transport=PatientTransport(0.1), base_url=url) as client,
        pytest.raises(httpx.ReadTimeout),
    ):
        client.get("/")
    with (
        answering(head % b"text/event-stream", endless=b":") as url,
        httpx.Client(transport=PatientTransport(0), base_url=url) as client,
        client.stream("GET", "/") as response,
    ):
        assert len(list(islice(response.iter_raw(1), 100))) == 100


def test_a_failure_shows_an_exchange_of_its_own_check() -> None:
    """And not what happened to be asked last: whoever reads the report would look in the wrong place."""
    with flawed_runtime(Flaw.PRETENDS) as url:
        result = arp_check("runtime", url, "--tier=surface", "--report=json")
    [one] = [one for one in result.report["requirements"] if one["id"] == "version.features"]
    assert one["verdict"] == "failed"
    assert [finding["exchange"]["url"] for finding in one["findings"]] == ["/v1/version"]
