"""What a sample can say: estimates with bounds that hold, as pure functions on sequences.

Each function returns a piece of `Evidence`: an estimate, one-sided bounds at any level, and what
the bounds would be with more cases like these. The unit is the cluster (a case without one is its
own); repeats are averaged inside the case by the caller.
"""

from vcmp.statistics.evidence import ENOUGH_CASES, ENOUGH_CLUSTERS, Evidence, needed_cases
from vcmp.statistics.measured import MeasuredMean, measured_mean
from vcmp.statistics.paired import ClusterMean, PairedCounts, mean_over_clusters, paired_difference
from vcmp.statistics.rates import Rate, rate
from vcmp.statistics.ratios import (
    LogRatio,
    Resampled,
    geometric_mean_ratio,
    quantile_ratio,
    total_ratio,
)

__all__ = [
    "ENOUGH_CASES",
    "ENOUGH_CLUSTERS",
    "ClusterMean",
    "Evidence",
    "LogRatio",
    "MeasuredMean",
    "PairedCounts",
    "Rate",
    "Resampled",
    "geometric_mean_ratio",
    "mean_over_clusters",
    "measured_mean",
    "needed_cases",
    "paired_difference",
    "quantile_ratio",
    "rate",
    "total_ratio",
]
