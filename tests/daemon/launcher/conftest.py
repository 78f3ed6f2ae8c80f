"""Shared by the launcher's tests."""

from __future__ import annotations

import os

import pytest

from daemon.launcher.scene import BESTIARY


@pytest.fixture(autouse=True)
def _bestiary_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the templates of every launcher that a test starts."""
    monkeypatch.setenv("PYTHONPATH", str(BESTIARY.parent), prepend=os.pathsep)
