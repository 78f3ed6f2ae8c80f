"""Shared by all tests: async tests run on asyncio, the backend that the services use; figures are told at the end.

Tests that take long are begun first, an equal part by each worker: a worker that came to one last would keep the
others waiting for it.
"""

from __future__ import annotations

import os

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


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes some seconds, shares nothing, and is begun first")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the long tests out to the workers, of which each takes an equal part of the items, one after the other."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    long = [item for item in items if item.get_closest_marker("long")]
    others = [item for item in items if item not in long]
    share = -(-len(others) // workers)
    parts = (long[n::workers] + others[n * share : (n + 1) * share] for n in range(workers))
    items[:] = [item for part in parts for item in part]
