"""The table: what is measured, how, in which unit, and what is aimed at. All of it is here, and nothing else is.

A row has several series: what is ours, and the yardsticks that it is held against. Each was measured once in every
repetition, in turns.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Aim:
    """A bound on a series: absolute where it is held against nothing, else on its ratio to another series."""

    of: str
    against: str | None = None
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class Row:
    """What is measured. `series` are names and what they are; `per` is what CPU time is counted for.

    Texts may name numbers of `Effort` in braces.
    """

    name: str
    group: str
    what: str
    how: str
    unit: str
    series: dict[str, str]
    aims: tuple[Aim, ...]
    per: str | None = None


YARDSTICKS = frozenset({"floor", "peer", "bare", "published", "httpx"})
"""The series that are not ours, whichever row they stand in."""

ROWS = (
    Row(
        name="daemon-runs",
        group="runs",
        what="Runs through the daemon: accepted durably, executed in one managed instance, result stored",
        how="{connections} connections submit {daemon_runs:,} runs (the peer {peer_runs:,}); until the last is stored",
        unit="runs/s",
        series={"ours": "arp-daemon", "peer": "arp-jarvis-daemon", "floor": "floor"},
        aims=(Aim("ours", "peer", at_least=45), Aim("ours", "floor", at_least=0.5)),
        per="run",
    ),
    Row(
        name="runtime-runs",
        group="runs",
        what="Runs on a runtime alone",
        how="the same, with {runtime_runs:,} runs",
        unit="runs/s",
        series={"ours": "arp-runtime", "peer": "arp-jarvis-runtime", "floor": "floor"},
        aims=(Aim("ours", "peer", at_least=18), Aim("ours", "floor", at_least=0.65)),
        per="run",
    ),
    Row(
        name="one-run",
        group="one_run",
        what="One run through the daemon, from its submission to its stored result",
        how="one client, one run after the other: {single_runs:,} runs, the peer {peer_single_runs:,}",
        unit="ms",
        series={
            "p50": "arp-daemon, p50",
            "p99": "arp-daemon, p99",
            "peer": "arp-jarvis-daemon, p50",
            "floor": "floor, p50",
        },
        aims=(Aim("p50", "peer", at_most=1 / 25), Aim("p99", "p50", at_most=3)),
        per="run",
    ),
    Row(
        name="events",
        group="events",
        what="Events of one run, as one watcher sees them",
        how="a run of {tokens:,} tokens, from its submission to its last event; at the daemon each is stored first",
        unit="events/s",
        series={"daemon": "arp-daemon", "direct": "arp-runtime"},
        aims=(Aim("direct", at_least=20_000), Aim("daemon", "direct", at_least=0.7)),
        per="event",
    ),
    Row(
        name="first-token",
        group="events",
        what="The first token: how much later it comes through the daemon",
        how="from a run's submission to its first token, median of {first_tokens} runs",
        unit="ms",
        series={"lag": "later through the daemon", "daemon": "arp-daemon", "direct": "arp-runtime"},
        aims=(Aim("lag", at_most=2),),
    ),
    Row(
        name="watchers-one-by-one",
        group="watchers",
        what="Watchers of one run, events one by one: the server's CPU time",
        how="{watchers:,} watchers, {single_events} events, each a sending of its own; none misses one",
        unit="µs a sending",
        series={"ours": "arp-daemon", "bare": "bare StreamingResponse"},
        aims=(Aim("ours", "bare", at_most=1.3),),
        per="sending",
    ),
    Row(
        name="watchers-bursts",
        group="watchers",
        what="Watchers of one run, events in bursts: the server's CPU time",
        how="{watchers:,} watchers, {bursts} bursts of {burst_events} events; none misses one",
        unit="µs an event and watcher",
        series={"ours": "arp-daemon", "bare": "bare StreamingResponse"},
        aims=(Aim("ours", at_most=5),),
        per="event and watcher",
    ),
    Row(
        name="watcher-memory",
        group="watchers",
        what="Memory that a watcher costs the server",
        how="unique set size with {watchers:,} watchers, less that without them",
        unit="KiB a watcher",
        series={"ours": "arp-daemon", "bare": "bare StreamingResponse"},
        aims=(Aim("ours", "bare", at_most=1.3),),
    ),
    Row(
        name="instance-start",
        group="instances",
        what="An instance, from the call that creates it until it is ready",
        how="one at a time, median of {starts}, the peer {peer_starts}",
        unit="ms",
        series={"ours": "arp-daemon", "peer": "arp-jarvis-daemon"},
        aims=(Aim("ours", "peer", at_most=1 / 8),),
        per="start",
    ),
    Row(
        name="instance-starts",
        group="instances",
        what="{starts_at_once} instances at once: what one of them takes of a core",
        how="the time until all are ready, times the cores, by {starts_at_once}",
        unit="ms",
        series={"at_once": "arp-daemon, {starts_at_once} at once", "one": "arp-daemon, one at a time"},
        aims=(Aim("at_once", "one", at_most=1.5),),
    ),
    Row(
        name="instance-memory",
        group="instances",
        what="Memory of an idle instance",
        how="unique set size: what it does not share with its template",
        unit="MB",
        series={"ours": "arp-runtime, unique", "rss": "arp-runtime, resident", "peer": "arp-jarvis-runtime, unique"},
        aims=(Aim("ours", at_most=12),),
    ),
    Row(
        name="daemon-memory",
        group="growth",
        what="Memory of the daemon with {stored_some:,} finished runs in its store",
        how="unique set size after its start, a run and a list",
        unit="MB",
        series={"ours": "arp-daemon, unique", "rss": "arp-daemon, resident"},
        aims=(Aim("ours", at_most=80),),
    ),
    Row(
        name="growth-start",
        group="growth",
        what="The daemon's start with {stored_some:,} finished runs in its store",
        how="from the start of its process until it answers health",
        unit="s",
        series={"none": "none stored", "some": "{stored_some:,} stored", "many": "{stored_many:,} stored"},
        aims=(Aim("some", at_most=1.5),),
    ),
    Row(
        name="growth-submit",
        group="growth",
        what="Submitting, by the runs that are stored",
        how="{connections} connections submit {growth_runs:,} runs; accepted a second, while they are executed",
        unit="runs/s",
        series={"none": "none stored", "some": "{stored_some:,} stored", "many": "{stored_many:,} stored"},
        aims=(Aim("some", "none", at_least=0.75), Aim("many", "none", at_least=0.75)),
        per="run",
    ),
    Row(
        name="growth-list",
        group="growth",
        what="A page of the list of runs, by the runs that are stored",
        how="`GET /v1/runs?page_size=100`, median of {growth_reads}",
        unit="ms",
        series={"none": "none stored", "some": "{stored_some:,} stored", "many": "{stored_many:,} stored"},
        aims=(Aim("some", "none", at_most=1.25), Aim("many", "none", at_most=1.25)),
        per="page",
    ),
    Row(
        name="growth-status",
        group="growth",
        what="The status of a finished run, by the runs that are stored",
        how="`GET /v1/runs/{{run_id}}` of any of them, median of {growth_reads}",
        unit="ms",
        series={"none": "none stored", "some": "{stored_some:,} stored", "many": "{stored_many:,} stored"},
        aims=(Aim("some", "none", at_most=1.25), Aim("many", "none", at_most=1.25)),
        per="request",
    ),
    Row(
        name="queue",
        group="queue",
        what="A long queue: what a run takes",
        how="one instance of concurrency 8, held until all are queued; from the first start to the last end",
        unit="ms a run",
        series={"long": "{queued:,} queued", "short": "10 queued"},
        aims=(Aim("long", "short", at_most=1),),
        per="run",
    ),
    Row(
        name="sdk",
        group="sdk",
        what="The SDK: a client's CPU time to submit a run, wait for it and get its result",
        how="{sdk_runs} runs on our daemon; by asking for its state until it has ended, and as ours waits by itself",
        unit="ms a run",
        series={"ours": "ours, waiting", "asking": "ours, asking", "published": "arp-standard-py 0.1.0, asking"},
        aims=(Aim("ours", "published", at_most=0.5),),
    ),
    Row(
        name="sdk-import",
        group="sdk",
        what="The SDK: CPU time of its import",
        how="`from arp_sdk.daemon import DaemonClient` and `import httpx`, in fresh processes",
        unit="ms",
        series={"ours": "arp_sdk.daemon", "httpx": "httpx", "published": "arp_sdk.daemon 0.1.0"},
        aims=(Aim("ours", "httpx", at_most=1.3),),
    ),
    Row(
        name="sdk-memory",
        group="sdk",
        what="The SDK: memory of a process that has imported it",
        how="resident set size of the same processes",
        unit="MB",
        series={"ours": "arp_sdk.daemon", "httpx": "httpx", "published": "arp_sdk.daemon 0.1.0"},
        aims=(Aim("ours", "httpx", at_most=1.3),),
    ),
)
