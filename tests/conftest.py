"""Shared by all tests: async tests run on asyncio, the backend that the services use; figures are told at the end."""

from __future__ import annotations

import pytest

from support.figures import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
