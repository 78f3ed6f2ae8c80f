"""Runs: taken, given their turn, executed within their limits, ended once, and remembered.

manager    the one owner of runs          table      what is known of each, and for how long
turns      which execute, which wait      execution  one run under way
events     the log of each, and the feed  results, large_output  what comes out
restoring  those of an earlier process    single_run one run without a server
"""

__all__: list[str] = []
