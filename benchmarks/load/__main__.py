"""Do one job; say what came out, and what CPU time it took here while it was measured."""

from __future__ import annotations

import asyncio
import json
import sys

from benchmarks.load.jobs import JOBS
from benchmarks.load.stages import measured_cpu_s


def main() -> None:
    """The job is a line on stdin: `{"job": NAME, ...arguments}`."""
    asked = json.loads(sys.stdin.readline())
    job = JOBS[asked.pop("job")]
    outcome = asyncio.run(job(**asked))
    print(json.dumps({**outcome, "cpu_s": measured_cpu_s()}), flush=True)


main()
