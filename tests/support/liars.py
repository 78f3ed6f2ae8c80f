"""Profiles whose instances lie; see `bestiary/liar.py`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from support.daemon import RunningDaemon

LIAR = Path(__file__).with_name("bestiary") / "liar.py"


async def put_liar(daemon: RunningDaemon, *features: str, **exec_: Any) -> None:
    """Upsert the profile `default`: one liar, which announces these features."""
    command = [sys.executable, str(LIAR), "{host}", "{port}", ",".join(features)]
    await daemon.put_profile(driver="command", command=command, **exec_)
