"""What docs/operations.md tells an operator to write is right."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from arp_daemon.commands.serve_options import ServeOptions
from arp_service.token_file import open_token_file
from contracts.tree import ROOT, read

_DOCUMENT = Path("docs/operations.md")


def test_every_setting_is_listed_with_its_flag_its_variable_and_its_key() -> None:
    """The table has what `arp-daemon serve` takes, in all of its spellings."""
    found = set(re.findall(r"^\| `(--[\w-]+)` \| `(\w+)` \| `([\w-]+)` \|", read(_DOCUMENT), re.MULTILINE))
    names = inspect.signature(ServeOptions).parameters
    assert found == {
        (f"--{name.replace('_', '-')}", f"ARP_DAEMON_{name.upper()}", name.replace("_", "-")) for name in names
    }


def test_the_unit_lets_agents_outlive_the_daemon(tmp_path: Path) -> None:
    """systemd signals the daemon alone; where systemd is at hand, it finds nothing wrong with the unit."""
    block = re.search(r"```ini\n(.*?)```", read(_DOCUMENT), re.DOTALL)
    assert block is not None
    lines = block[1].splitlines()
    assert "KillMode=process" in lines
    assert "OOMPolicy=continue" in lines
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not here")
    unit = tmp_path / "arp-daemon.service"
    here = block[1].replace("/opt/arp/bin/arp-daemon", f'"{sys.executable}"').replace("User=arp", "User=root")
    unit.write_text(here)
    done = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, timeout=60, check=False)
    ours = [line for line in done.stderr.splitlines() if "arp-daemon.service" in line]
    assert (done.returncode, ours) == (0, [])


def test_the_command_that_changes_the_token_does(tmp_path: Path) -> None:
    """A service whose token file it is takes the new one at once, and refuses the old one."""
    block = re.search(r"```text\n(.*token\.new.*)\n```", read(_DOCUMENT))
    assert block is not None
    token_file = open_token_file(tmp_path / "token")
    old = token_file.path.read_text().strip()
    subprocess.run(["sh", "-c", block[1]], cwd=tmp_path, check=True, timeout=10)
    assert list(tmp_path.iterdir()) == [token_file.path]
    assert token_file.holds(token_file.path.read_text().strip())
    assert not token_file.holds(old)


def test_every_test_that_the_threats_name_is_there() -> None:
    """docs/security.md shows where each protection is tested."""
    named = set(re.findall(r"`(tests/[\w/.]+)`", read(Path("docs/security.md"))))
    assert len(named) > 10
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
