"""What the bootstrap costs: seconds of 10,000 resamples of 1,000 cases and 10 metrics on one core.

    OPENBLAS_NUM_THREADS=1 python benchmarks/resampling.py [runs]

Run it in the project's folder. Beside it stands a loop over the metrics with fresh draws for each.
The best of several runs counts; the weights are drawn anew in each.
"""

import resource
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from vcmp.statistics.resampling import RESAMPLES, Resampling

CASES = [str(number) for number in range(1000)]
VALUES = np.random.default_rng(1).lognormal(size=(len(CASES), 10))


def shared(seed: int) -> Any:
    return Resampling(CASES, seed=seed).means(VALUES)


def naive(seed: int) -> Any:
    random, shape = np.random.default_rng(seed), (RESAMPLES, len(CASES))
    return [x[random.integers(0, len(x), shape)].mean(axis=1) for x in VALUES.T]


def best_s(resample: Callable[[int], Any], runs: int) -> float:
    seconds = []
    for seed in range(runs):
        start = time.perf_counter()
        resample(seed)
        seconds.append(time.perf_counter() - start)
    return min(seconds)


if __name__ == "__main__":
    n_runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = best_s(shared, n_runs)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    loop = best_s(naive, n_runs)
    print(f"shared weights {seconds:.3f} s, peak memory {peak_mb:.0f} MB (best of {n_runs})")
    print(f"loop by metric {loop:.3f} s, {loop / seconds:.1f} times as long")
