"""A scene for each case, and figures that are told at the end."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from faults.repetitions import IS_FULL
from faults.scene import Scene, opened

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_HERE = Path(__file__).parent
# In full, what takes a tenth of this among the other tests.
_FULL_TIMEOUT_S = 3600


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "full: takes too long for a share, and is run by `nox -s faults` alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The full repetitions take their time; a share leaves out what has none, and is begun first."""
    if IS_FULL:
        for item in items:
            item.add_marker(pytest.mark.timeout(_FULL_TIMEOUT_S))
        return
    for item in items:
        if item.path.parent == _HERE:
            item.add_marker("long")
    left_out = [item for item in items if item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture
async def scene(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Scene]:
    async with opened(tmp_path, request.node.name) as scene:
        yield scene


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Callable[[str, object], None]:
    """Tell a figure: it is shown in the table at the end of the session."""

    def tell(case: str, figures: object) -> None:
        record_property("figures", (case, str(figures)))

    return tell
