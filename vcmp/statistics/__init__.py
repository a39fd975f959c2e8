"""What a sample can say: estimates with bounds that hold, as pure functions on sequences.

Each function returns a piece of `Evidence`: an estimate, one-sided bounds at any level, and what
the bounds would be with more cases like these. The unit is the cluster (a case without one is its
own); repeats are averaged inside the case by the caller.
"""

from vcmp.statistics.boundaries import boundaries, nominal_levels
from vcmp.statistics.evidence import (
    ENOUGH_CASES,
    ENOUGH_CLUSTERS,
    Change,
    Evidence,
    needed_cases,
    p_value,
    proving_cases,
    visible_loss,
)
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
from vcmp.statistics.resampling import Resampling

__all__ = [
    "ENOUGH_CASES",
    "ENOUGH_CLUSTERS",
    "Change",
    "ClusterMean",
    "Evidence",
    "LogRatio",
    "MeasuredMean",
    "PairedCounts",
    "Rate",
    "Resampled",
    "Resampling",
    "boundaries",
    "geometric_mean_ratio",
    "mean_over_clusters",
    "measured_mean",
    "needed_cases",
    "nominal_levels",
    "p_value",
    "paired_difference",
    "proving_cases",
    "quantile_ratio",
    "rate",
    "total_ratio",
    "visible_loss",
]
