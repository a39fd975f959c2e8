"""Numbers as a reader wants them: scores with three decimals, measurements with three digits and
their unit, a minus that is not a hyphen."""

from vcmp.types import Delta, Interval

MINUS = "−"
UNKNOWN = "-"
LABELS = {
    "latency_s": "latency, s",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "output_chars": "output length, characters",
    "cost_usd": "cost, USD",
    "error": "failed",
}
"""Measurements by name, with their units."""


def score(value: float | None) -> str:
    """A score or a rate in [0, 1]; "-" when it is unknown."""
    return UNKNOWN if value is None else f"{value:.3f}"


def amount(value: float | None) -> str:
    """A measurement with three significant digits; "-" when it is unknown."""
    if value is None:
        return UNKNOWN
    if abs(value) >= 100:
        return f"{value:,.0f}".replace("-", MINUS)
    return f"{value:.3g}".replace("-", MINUS)


def percent(value: float) -> str:
    """A share in [0, 1]."""
    return f"{100 * value:.1f} %"


def share(value: float) -> str:
    """A share in [0, 1] with as many digits as it needs: `25 %`, `12.5 %`."""
    return f"{100 * value:.3g} %"


def signed(value: float) -> str:
    """A difference of scores; without a sign when it rounds to zero."""
    shown = f"{value:+.3f}".replace("-", MINUS)
    return "0.000" if shown[1:] == "0.000" else shown


def signed_amount(value: float) -> str:
    """A difference of measurements."""
    sign = "+" if value > 0 else MINUS if value < 0 else ""
    return sign + amount(abs(value))


def bounds(interval: Interval, *, is_score: bool = True) -> str:
    """Both ends of an interval of a difference."""
    form = signed if is_score else signed_amount
    return f"{form(interval.low)} to {form(interval.high)}"


def excludes_zero(interval: Interval) -> bool:
    """Whether the sign of the difference is certain, at the interval's confidence."""
    return interval.low > 0 or interval.high < 0


def ratio(difference: float, baseline: float) -> str:
    """A difference in percent of the baseline; "" when the baseline is 0."""
    if not baseline:
        return ""
    shown = f"{difference / baseline:+.0%}".replace("-", MINUS)
    return "0 %" if shown[1:] == "0%" else shown.replace("%", " %")


def change(delta: Delta) -> str:
    """A difference: in points for scores and failures, in percent for measurements."""
    if delta.score or delta.metric == "error":
        return signed(delta.difference)
    return ratio(delta.difference, delta.baseline) or signed_amount(delta.difference)


def plural(count: int, noun: str) -> str:
    """`1 case`, `2 cases`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
