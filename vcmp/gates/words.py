"""Numbers and counts in the words of a gate."""

import math

from vcmp.statistics import Evidence

FEW_CLUSTERS = 10
"""With fewer a number that decides by itself is told as seen, not proven."""
MINUS = "−"
NOTHING = 1e-9
"""What is smaller is rounding."""


def cases_of(evidence: Evidence) -> str:
    """How many cases, in how many clusters."""
    return count_cases(int(evidence.n), int(evidence.n_clusters))


def cases_like(n: int, n_cases: float, n_clusters: float) -> str:
    """So many cases in clusters of the size of those at hand: `189 cases in 63 clusters like
    these`."""
    if n_cases == n_clusters:
        return count_cases(n, n)
    return f"{count_cases(n, math.ceil(n * n_clusters / n_cases - NOTHING))} like these"


def count_cases(n: int, n_clusters: int) -> str:
    """`135 cases in 42 clusters`; clusters of one case each are not told."""
    cases = f"{n:,} case{'s' * (n != 1)}"
    clusters = f"{n_clusters:,} cluster{'s' * (n_clusters != 1)}"
    return cases if n_clusters == n else f"{cases} in {clusters}"


def seen(cases: str, n_clusters: float) -> str:
    """The cases behind a number that decides by itself, with a warning where they are few."""
    return f"; seen, not proven: {cases}" if n_clusters < FEW_CLUSTERS else f", {cases}"


def number(value: float) -> str:
    """A number that was seen: three decimals, or three digits where these are more."""
    size = abs(value)
    if size >= 10:
        text = f"{size:.3g}" if size < 1000 else f"{size:,.0f}"
    else:
        text = f"{size:.3f}" if size >= 0.0005 or size < NOTHING else f"{size:.2g}"
    return f"{MINUS}{text}" if value <= -NOTHING else text


def signed(value: float) -> str:
    """A difference; one that is too small to count has no sign."""
    return f"+{number(value)}" if value >= NOTHING else number(value)


def limit(value: float) -> str:
    """A number that a rule gives: two decimals, or as many as it has."""
    text = f"{value:.2f}" if abs(value) < 10 else f"{value:.10g}"
    return text if float(text) == value else f"{value:.10g}"


def percent(share: float) -> str:
    """A share as `95 %`."""
    return f"{100 * share:.3g} %"


def rounded(count: int) -> str:
    """A count with two digits that count, rounded up: 310, 1,900."""
    unit = 10 ** max(0, len(str(count)) - 2)
    return f"{-(-count // unit) * unit:,}"
