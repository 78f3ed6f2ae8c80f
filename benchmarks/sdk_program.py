"""Submits runs, waits for each and gets its result. Works with arp-standard-py 0.1.0 and with ours alike: URL COUNT.

Prints the CPU milliseconds that a run took this process, and how often it asked for a run's status.
"""

import json
import sys
import time

from arp_sdk.daemon import DaemonClient
from arp_sdk.models import RunRequest

ENDED = {"succeeded", "failed", "canceled"}
# Longer than a run takes: each is asked about once.
PAUSE_S = 0.05

url, count = sys.argv[1], int(sys.argv[2])
daemon = DaemonClient(base_url=url)
daemon.health()
asked = 0
began = time.process_time()
for _ in range(count):
    status = daemon.submit_run(RunRequest.from_dict({"input": {"goal": "What is (19*23)?"}}))
    while status.state.value not in ENDED:
        time.sleep(PAUSE_S)
        status = daemon.get_run_status(status.run_id)
        asked += 1
    assert daemon.get_run_result(status.run_id).ok
took = time.process_time() - began
print(json.dumps({"cpu_ms": took * 1000 / count, "asked": asked / count}))
