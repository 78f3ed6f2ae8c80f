"""Submits runs, waits for each and gets its result: URL COUNT WAY. Prints the CPU milliseconds that a run took it.

WAY `asking` works with arp-standard-py 0.1.0 and with ours alike; `handle` is how ours waits.
"""

import json
import sys
import time

from arp_sdk.daemon import DaemonClient
from arp_sdk.models import RunRequest

ENDED = {"succeeded", "failed", "canceled"}
# Longer than a run takes: each is asked about once.
PAUSE_S = 0.05
GOAL = "What is (19*23)?"


def ask(daemon: DaemonClient) -> None:
    """One run, asked about until it has ended."""
    status = daemon.submit_run(RunRequest.from_dict({"input": {"goal": GOAL}}))
    while status.state.value not in ENDED:
        time.sleep(PAUSE_S)
        status = daemon.get_run_status(status.run_id)
    assert daemon.get_run_result(status.run_id).ok


def use_handle(daemon: DaemonClient) -> None:
    """One run, waited for by its handle."""
    assert daemon.run(GOAL).result().ok


url, count, way = sys.argv[1], int(sys.argv[2]), {"asking": ask, "handle": use_handle}[sys.argv[3]]
client = DaemonClient(base_url=url)
client.health()
began = time.process_time()
for _ in range(count):
    way(client)
print(json.dumps({"cpu_ms": (time.process_time() - began) * 1000 / count}))
