"""The lease, by a clock of the test's own."""

from __future__ import annotations

from arp_daemon.launcher.lease import Lease


def test_a_launcher_that_nobody_reaches_ends() -> None:
    """The lease runs from the start."""
    lease = Lease(60.0, now=100.0)
    assert lease.remaining_s(100.0) == 60.0
    assert lease.remaining_s(159.0) == 1.0
    assert lease.remaining_s(160.0) == lease.remaining_s(1000.0) == 0.0


def test_a_held_lease_never_ends() -> None:
    """However long a daemon stays connected."""
    lease = Lease(60.0, now=0.0)
    lease.hold()
    assert lease.remaining_s(1e9) == 60.0


def test_the_lease_runs_from_the_last_release() -> None:
    """Two connections hold it as one does, and it starts anew when the last one goes."""
    lease = Lease(60.0, now=0.0)
    lease.hold()
    lease.hold()
    lease.release(now=10.0)
    assert lease.remaining_s(500.0) == 60.0
    lease.release(now=500.0)
    assert lease.remaining_s(530.0) == 30.0
    lease.hold()
    lease.release(now=540.0)
    assert lease.remaining_s(599.0) == 1.0
