"""arpctl: submit runs, watch them, and look after a daemon from the terminal.

A program, not a library: its interface is what `arpctl --help` and docs/cli.md say.
"""

from __future__ import annotations

__all__: list[str] = []
