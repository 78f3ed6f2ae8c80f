"""Where spec/v1 lies: beside the suite in a checkout, inside of it where it was installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

_HERE = Path(__file__).resolve().parent
SPEC = next(path for path in (_HERE / "spec" / "v1", _HERE.parent / "spec" / "v1") if path.is_dir())
# That of libyaml reads the documents ten times as fast, where it is there.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> Any:
    """The document in a file; raise yaml.YAMLError where it is none."""
    return yaml.load(path.read_text(encoding="utf-8"), _Loader)
