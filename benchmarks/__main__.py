"""`python -m benchmarks`: measure, and write what came out. Speed never fails it."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import anyio
from rich.console import Console

from benchmarks.bench import Bench
from benchmarks.effort import QUICK, WHOLE
from benchmarks.groups import GROUPS
from benchmarks.plots import pictures
from benchmarks.publishing import publish
from benchmarks.report import render, shortfalls
from benchmarks.results import new_results, read_results, write_results
from benchmarks.rows import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.results import Results

_OUTPUT = Path("build", "benchmarks")
_RESULTS = "results.json"


def main() -> None:
    """Read the arguments, measure the groups of rows that are asked for."""
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="do little: two minutes, and figures that wobble")
    parser.add_argument("--only", action="append", metavar="NAME", help="a row, or a group of rows; can be repeated")
    parser.add_argument("--output", type=Path, default=_OUTPUT, help="the folder for what comes out (%(default)s)")
    parser.add_argument("--publish", action="store_true", help="measure nothing; put what came out last into docs/")
    asked = parser.parse_args()
    if asked.publish:
        publish(read_results(asked.output / _RESULTS))
        return
    names = {row.name for row in ROWS} | set(GROUPS)
    if unknown := set(asked.only or ()) - names:
        parser.error(f"--only {', '.join(sorted(unknown))}: there are {', '.join(sorted(names))}")
    wanted = {row.group for row in ROWS if not asked.only or {row.name, row.group} & set(asked.only)}
    console = Console()
    results = new_results(QUICK if asked.quick else WHOLE)
    finished = False
    try:
        finished = anyio.run(_measure_until_stopped, results, [name for name in GROUPS if name in wanted], console)
    finally:
        _write(results, asked.output)
    for line in shortfalls(results):
        console.print(line, style="yellow")
    console.print(f"Written to {asked.output}.")
    if not finished:
        sys.exit("It was stopped before its end.")


async def _measure_until_stopped(results: Results, groups: list[str], console: Console) -> bool:
    """At Ctrl-C, or SIGTERM, everything that was started is stopped; return whether it came to its end before."""
    finished = False
    async with anyio.create_task_group() as tasks:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:

            async def stop() -> None:
                async for _ in signals:
                    tasks.cancel_scope.cancel()

            tasks.start_soon(stop)
            await _measure(results, groups, console)
            finished = True
            tasks.cancel_scope.cancel()
    return finished


async def _measure(results: Results, groups: list[str], console: Console) -> None:
    for name in groups:
        began = perf_counter()
        with _own_folder() as folder, console.status(name) as status:

            def say(text: str, name: str = name) -> None:
                status.update(f"{name}: {text}")
                console.print(f"  {text}", highlight=False)

            console.rule(name)
            await GROUPS[name](Bench(results.effort, results, folder, say))
        console.print(f"  {perf_counter() - began:.0f} s", style="dim")


@contextmanager
def _own_folder() -> Iterator[Path]:
    """In the system's folder for temporary files: the path of a Unix socket must fit into 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="arp-bench-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _write(results: Results, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    write_results(results, output / _RESULTS)
    (output / "results.md").write_text(render(results), encoding="utf-8")
    for picture in pictures(results):
        (output / f"{picture.name}.svg").write_text(picture.svg, encoding="utf-8")


main()
