"""Agents: what they are and are given, whatever they were written as, and how they are found and run.

context, sync_context, run_input   what an agent is given          events      what it says in data
kinds, threads                     functions, classes, generators  loading     finding the agent that a name means
command, child_process, keeper     programs as agents              isolation, isolated   a process for each run
artifacts                          files that runs make            returned    what an agent gives back
default, model                     those that come along
"""

__all__: list[str] = []
