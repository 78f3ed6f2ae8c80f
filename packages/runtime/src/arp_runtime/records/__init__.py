"""What is recorded of runs: each change is told once and in order, to metrics, traces and the disk.

changes  what happens, as values      chronicle  where it is told
trace, trace_files, trace_story       for whoever wants to understand a run
metrics  for Prometheus               store      the runs that survive the process
opening  all of it, for one process
"""

__all__: list[str] = []
