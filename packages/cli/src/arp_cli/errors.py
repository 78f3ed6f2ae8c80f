"""What arpctl itself finds wrong. What the daemon finds wrong is an ArpApiError."""

from __future__ import annotations


class UsageError(Exception):
    """An option or an argument makes no sense; the message names it."""
