"""Evaluate 200 cases with a server that takes 20 requests a second: how close to 10 seconds?

    python -m benchmarks.limits [--rate 20] [--concurrency 16] [--latency 0.05]

Told is, for servers that allow bursts of 1, 5 and a second's requests at once, and say in three
ways when there is room again: the time from the first request to the last, as a ratio to what that
many requests take at the server's rate; requests that were refused; and rows that were lost.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from benchmarks.project import make_project, start
from vcmp.testing import FaultServer, RateLimit
from vcmp.testing.faults import Form

SECONDS = 10
FORMS: dict[Form | None, str] = {
    None: "nothing", "ms": "milliseconds", "seconds": "whole seconds",
}  # fmt: skip


def measure(limit: RateLimit, concurrency: int, latency_s: float) -> tuple[float, int, int]:
    """The ratio, and how many requests were refused and rows lost."""
    n_cases = round(limit.per_s * SECONDS)
    server = FaultServer(limit=limit, latency_s=latency_s)
    with tempfile.TemporaryDirectory() as temporary, server:
        project = Path(temporary)
        make_project(project, n_cases)
        start(project, f"provider.base_url={server.url}", f"concurrency={concurrency}").wait()
        times = [request.started_s for request in server.requests]
        (rows,) = project.glob("outputs/2*/0/results.jsonl")
        answered = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
    n_ok = sum(row["outcome"] == "ok" for row in answered)
    return (max(times) - min(times)) / SECONDS, len(times) - n_cases, n_cases - n_ok


def main() -> int:
    """Print a line for each server; the exit code is 1 when a row was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rate", type=float, default=20.0, help="requests a second")
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--latency", type=float, default=0.05, help="seconds")
    options = parser.parse_args()
    print("burst   it says         ratio   refused   lost", flush=True)
    n_lost = 0
    for burst in (1, 5, round(options.rate)):
        for form, said in FORMS.items():
            limit = RateLimit(per_s=options.rate, burst=burst, form=form)
            ratio, refused, lost = measure(limit, options.concurrency, options.latency)
            n_lost += lost
            print(f"{burst:5}   {said:14}{ratio:7.2f}{refused:10}{lost:7}", flush=True)
    return 1 if n_lost else 0


if __name__ == "__main__":
    sys.exit(main())
