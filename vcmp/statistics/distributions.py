"""Quantiles and tails of the distributions that bounds are made of: the door to scipy.

scipy.special, not scipy.stats: it holds the same functions at a third of the import time.
"""

import math
from functools import lru_cache
from statistics import NormalDist
from typing import Any


def normal_quantile(probability: float) -> float:
    """The standard normal quantile."""
    return NormalDist().inv_cdf(probability)


def normal_tail(z: float) -> float:
    """The probability that a standard normal number exceeds `z`, without loss of digits far out."""
    return math.erfc(z / math.sqrt(2)) / 2


def normal_tails(z: Any) -> Any:
    """`normal_tail` of each number of an array."""
    from scipy.special import ndtr

    return ndtr(-z)


@lru_cache(maxsize=1024)
def t_quantile(probability: float, df: float) -> float:
    """The quantile of Student's t with `df` degrees of freedom, not necessarily whole."""
    from scipy.special import stdtrit

    return float(stdtrit(df, probability))


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The quantile of the beta distribution."""
    from scipy.special import betaincinv

    return float(betaincinv(a, b, probability))


def coin_tail(heads: float, tosses: float) -> float:
    """The probability of `heads` or more in `tosses` of a fair coin; both may be fractions."""
    from scipy.special import betainc

    if heads <= 0:
        return 1.0
    return float(betainc(heads, tosses - heads + 1, 0.5)) if heads <= tosses else 0.0
