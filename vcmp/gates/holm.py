"""Holm's procedure: several tests share one probability of a false alarm."""

from collections.abc import Callable, Mapping
from typing import TypeVar

K = TypeVar("K")


def rejected(tests: Mapping[K, Callable[[float], bool]], level: float) -> dict[K, float]:
    """The tests that stay certain when all are made together (Holm, 1979, "A simple sequentially
    rejective multiple test procedure", Scandinavian Journal of Statistics 6).

    Args:
        tests: Each says whether it rejects at a level; what one rejects at a level it also does at
            a higher one.
        level: Probability that any of them rejects by chance.

    Returns:
        Those that reject, in the order in which they did, and the level each was rejected at.
    """
    found: dict[K, float] = {}
    while len(found) < len(tests):
        share = level / (len(tests) - len(found))
        more = [key for key, test in tests.items() if key not in found and test(share)]
        if not more:
            break
        found |= dict.fromkeys(more, share)
    return found
