"""Where spec/v1 lies: beside the suite in a checkout, inside of it where it was installed."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent
SPEC = next(path for path in (_HERE / "spec" / "v1", _HERE.parent / "spec" / "v1") if path.is_dir())
