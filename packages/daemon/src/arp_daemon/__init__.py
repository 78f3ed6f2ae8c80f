"""The ARP daemon: keeps a pool of runtime instances, queues and routes runs to them, records every one durably.

A program, not a library: `arp-daemon serve`. From the bottom up:

store           runs, events, attempts, profiles, instances; SQLite behind a protocol
launcher        a process of its own that owns the instance processes, and its client
exec_spec, launch_plan, selector, wire_events, sse_frames, trace      pure values
open_run, run_queue, instance        state, each with one owner
profiles, runs, starter, instances   the managers that own it
relay, follower, link, dispatcher    runs to instances, events back
routes, app, daemon, cli             the surface, and the assembly
"""

__all__: list[str] = []
