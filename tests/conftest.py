"""Shared by all tests: async tests run on asyncio, the backend that the services use."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"
