"""As many seeds as one likes, on all processors: `python -m tests.simulation --seeds 10000`.

Prints how many lives held the guarantee, and each seed that did not, with what was wrong; exit
code 3 where one did not. `--first` goes on where another run ended.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor

import structlog
from rich.console import Console
from rich.progress import track

from tests.simulation.life import Life

_CHUNK = 25
_FAILURES_TOLD = 20


def failures_of(seeds: Sequence[int]) -> list[tuple[int, str]]:
    """The seeds whose lives broke the guarantee, and how."""
    # A hundred thousand warnings of workers that are tormented on purpose.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    failed = []
    for seed in seeds:
        try:
            Life(seed).live()
        except Exception as error:  # noqa: BLE001 - whatever ends a life is a finding
            failed.append((seed, f"{type(error).__name__}: {error}"))
    return failed


def main(given: Sequence[str] | None = None) -> int:
    """Run the seeds; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print a JSON object")
    arguments = parser.parse_args(given)
    last = arguments.first + arguments.seeds
    chunks = [
        range(first, min(first + _CHUNK, last)) for first in range(arguments.first, last, _CHUNK)
    ]
    started = time.monotonic()
    failed: list[tuple[int, str]] = []
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        progress = Console(stderr=True, quiet=arguments.json)
        for found in track(
            pool.map(failures_of, chunks), "seeds", total=len(chunks), console=progress
        ):
            failed += found
    report = {
        "ok": not failed,
        "seeds": arguments.seeds,
        "first": arguments.first,
        "failed": dict(failed[:_FAILURES_TOLD]),
        "failures": len(failed),
        "seconds": round(time.monotonic() - started, 1),
    }
    text = (
        json.dumps(report) if arguments.json else "\n".join(f"{k}: {v}" for k, v in report.items())
    )
    sys.stdout.write(text + "\n")
    return 3 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
