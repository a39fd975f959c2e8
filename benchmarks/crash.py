"""Kill an evaluation of 400 calls at random points, resume it, and count what was lost.

    python -m benchmarks.crash [--kills 20] [--concurrency 16] [--seed 0]

Each time a project is evaluated against a server on 127.0.0.1 that answers in 20 ms. The process
gets SIGKILL once the server has seen a random number of requests; `vcmp resume` then ends the
sweep. Told are the calls that the server saw twice, which may be those that were in flight, and the
rows that were finished and are not in the final files, of which there may be none. A request whose
body the kill cut off is no call: no server answers it.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.project import make_project, start
from vcmp.testing import FaultServer, Received

N_CALLS = 400
LATENCY_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """One killed evaluation, and what came of it."""

    killed_at: int
    """Requests that the server had seen."""
    finished: int
    """Rows on disk at that moment."""
    repeated: int
    lost: int
    complete: bool


def crash(killed_at: int, concurrency: int) -> Crash:
    """Kill an evaluation once the server has seen `killed_at` requests, and resume it."""
    with tempfile.TemporaryDirectory() as temporary, FaultServer(latency_s=LATENCY_S) as server:
        project = Path(temporary)
        make_project(project, N_CALLS)
        given = [f"provider.base_url={server.url}", f"concurrency={concurrency}"]
        process = start(project, *given)
        while server.n_requests < killed_at and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        process.wait()
        (folder,) = (project / "outputs").glob("2*")
        before = keys_of(folder)
        start(project, "resume", f"outputs/{folder.name}").wait()
        after = keys_of(folder)
        whole = [request for request in server.requests if request.body]  # a kill can tear one
        asked = Counter(map(question_of, whole))
    return Crash(
        killed_at=killed_at,
        finished=len(before),
        repeated=sum(asked.values()) - len(asked),
        lost=len(before - after),
        complete=len(after) == N_CALLS,
    )


def keys_of(folder: Path) -> set[str]:
    """Keys of the whole rows."""
    text = (folder / "0/results.jsonl").read_text(encoding="utf-8")
    return {json.loads(line)["key"] for line in text.split("\n")[:-1]}


def question_of(request: Received) -> Any:
    return request.body["messages"][-1]["content"]


def main() -> int:
    """Print a line for each kill, and the worst of all; the exit code is 1 when one is too bad."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    print(f"{N_CALLS} calls, {options.concurrency} at once, {LATENCY_S * 1000:g} ms each")
    print("killed at   finished   repeated   lost")
    crashes = []
    for _ in range(options.kills):
        crashes.append(each := crash(chance.randint(1, N_CALLS - 1), options.concurrency))
        end = "" if each.complete else "   NOT COMPLETE"
        print(f"{each.killed_at:9}{each.finished:11}{each.repeated:11}{each.lost:7}{end}")
    worst = max(each.repeated for each in crashes)
    lost = sum(each.lost for each in crashes)
    print(f"at most {worst} of {options.concurrency} calls in flight repeated, {lost} rows lost")
    good = worst <= options.concurrency and not lost and all(each.complete for each in crashes)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
