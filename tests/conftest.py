"""Shared by all tests: async tests run on asyncio, the backend that the services use; figures are told at the end."""

from __future__ import annotations

import hypothesis
import pytest

from support.figures import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]

# How long an example takes is the machine's business.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
