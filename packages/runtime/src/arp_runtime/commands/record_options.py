"""What `arp-runtime serve` is told of keeping: how long ended runs, and where what is to outlive the process."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from arp_runtime.records.opening import RecordSettings
from arp_runtime.runs.table import MAX_ENDED_AGE_S, MAX_ENDED_RUNS, Limits

# A century: the clock's arithmetic needs an end.
_MAX_AGE_S = 3_200_000_000
_NotNegative = Annotated[int, Parameter(validator=validators.Number(gte=0))]
_Age = Annotated[float, Parameter(validator=validators.Number(gte=0, lte=_MAX_AGE_S))]


@Parameter(name="*")
@dataclass(frozen=True)
class RecordOptions:
    """How long ended runs are kept, and where.

    Parameters
    ----------
    max_ended_runs
        How many ended runs can still be asked for; the oldest are forgotten.
    max_ended_age_s
        Seconds after which an ended run is forgotten.
    data_dir
        Keep runs here, so that they survive a restart; by default they are in memory alone.
    trace_dir
        Write each run's trace here, as RUN_ID.jsonl; by default `traces` in the data dir, where there is one.
    redact_prompts
        Put lengths in place of goals, arguments, answers and all other text in trace files.
    """

    max_ended_runs: _NotNegative = MAX_ENDED_RUNS
    max_ended_age_s: _Age = MAX_ENDED_AGE_S
    data_dir: Path | None = None
    trace_dir: Path | None = None
    redact_prompts: Annotated[bool, Parameter(negative=())] = False

    def limits(self) -> Limits:
        """How long ended runs are kept."""
        return Limits(runs=self.max_ended_runs, age_s=self.max_ended_age_s)

    def settings(self) -> RecordSettings:
        """Where runs are recorded."""
        return RecordSettings(self.data_dir, self.trace_dir, self.redact_prompts)


NO_RECORD_OPTIONS = RecordOptions()
