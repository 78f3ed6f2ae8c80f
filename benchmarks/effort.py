"""How much is done to measure: all of it, or so little that two minutes will do."""

from __future__ import annotations

import msgspec


class Effort(msgspec.Struct, frozen=True):
    """How often what is done in each of the repetitions."""

    repetitions: int = 3
    connections: int = 16
    floor_requests: int = 10_000
    daemon_runs: int = 4_000
    runtime_runs: int = 6_000
    peer_runs: int = 160
    single_runs: int = 2_000
    peer_single_runs: int = 60
    tokens: int = 10_000
    first_tokens: int = 50
    watchers: int = 1_000
    single_events: int = 50
    bursts: int = 10
    burst_events: int = 100
    starts: int = 9
    peer_starts: int = 3
    starts_at_once: int = 20
    stored_some: int = 100_000
    stored_many: int = 1_000_000
    growth_rounds: int = 5
    growth_runs: int = 1_000
    growth_reads: int = 300
    queued: int = 10_000
    short_queues: int = 20
    sdk_runs: int = 150
    imports: int = 7


WHOLE = Effort()
QUICK = Effort(
    floor_requests=2_000,
    daemon_runs=600,
    runtime_runs=1_000,
    peer_runs=60,
    single_runs=200,
    peer_single_runs=15,
    first_tokens=10,
    watchers=200,
    single_events=20,
    bursts=4,
    starts=3,
    peer_starts=1,
    starts_at_once=8,
    stored_some=2_000,
    stored_many=20_000,
    growth_rounds=3,
    growth_runs=300,
    growth_reads=100,
    queued=1_000,
    short_queues=5,
    sdk_runs=50,
    imports=3,
)
