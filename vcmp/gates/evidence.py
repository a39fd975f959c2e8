"""From a comparison to the evidence about one metric, or to what is lacking."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from vcmp.errors import suggest
from vcmp.gates.policy import Policy
from vcmp.metrics import CHARGED, MEASUREMENTS, is_reused, quantile, summarize
from vcmp.statistics import (
    Change,
    Evidence,
    geometric_mean_ratio,
    measured_mean,
    paired_difference,
    quantile_ratio,
    rate,
    total_ratio,
)
from vcmp.types import Canary, Comparison, Outcome, Paired, Sample

Stat = Literal["p50", "p95", "gmr", "total"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lack:
    """Why a metric cannot be judged."""

    outcome: Outcome
    observed: str
    advice: str


def is_alone(comparison: Comparison) -> bool:
    """Whether there was nothing to compare with: the candidate stands on both sides."""
    return comparison.baseline is comparison.candidate


def mean_of(metric: str) -> str:
    """The key of a metric in `Comparison.pairs`: `polite` for `polite/mean`, `error` for
    `error_rate`."""
    return "error" if metric == "error_rate" else metric.removesuffix("/mean")


def candidate_sample(comparison: Comparison, metric: str, policy: Policy) -> Sample | Lack:
    """The candidate's values, whether or not the baseline has them, unless too many are missing."""
    sample = comparison.samples.get(mean_of(metric))
    where = "" if is_alone(comparison) else " for the candidate"
    lack = _lack(comparison, metric, policy, len(sample.case_ids) if sample else 0, where)
    return lack or sample or _unscored(comparison, metric)


def candidate_mean(
    comparison: Comparison, metric: str, policy: Policy, *, exact: bool = False
) -> Evidence | Lack:
    """The candidate's mean over its cases."""
    sample = candidate_sample(comparison, metric, policy)
    if isinstance(sample, Lack):
        return sample
    if sample.bounded:
        return rate(sample.values, sample.clusters, exact=exact)
    largest = max(map(abs, sample.values)) or 1.0
    return measured_mean(sample.values, sample.clusters, largest=largest)


def candidate_summary(comparison: Comparison, metric: str, policy: Policy) -> float | Lack:
    """A metric of the candidate that is one number: `latency_s/p95`, `cost_usd/total`."""
    name = metric.partition("/")[0]
    sample = candidate_sample(comparison, name, policy)
    if isinstance(sample, Lack):
        return sample
    recorded = bool(comparison.candidate.results)
    known = summarize(comparison.candidate) if recorded else _statistics(sample)
    if metric in known:
        return known[metric]
    return Lack(
        outcome="invalid",
        observed=f"there is no metric {metric!r}.{suggest(metric, known)}",
        advice="Correct the metric in the gate.",
    )


def _statistics(sample: Sample) -> dict[str, float]:
    """What can be told of a measurement by its cases alone; where there are results, `summarize`
    tells it by result."""
    if sample.score:
        return {}
    values = {f"p{percent}": quantile(sample.values, percent / 100) for percent in (50, 95, 99)}
    values |= {"min": min(sample.values), "max": max(sample.values)}
    if sample.scored == sample.asked:
        values["total"] = sample.total
    return {f"{sample.metric}/{name}": value for name, value in values.items()}


def difference(comparison: Comparison, metric: str, policy: Policy) -> Change | Lack:
    """Candidate minus baseline, over the cases that have both."""
    pair = paired(comparison, metric, policy)
    if isinstance(pair, Lack):
        return pair
    return paired_difference(pair.baseline, pair.candidate, pair.clusters, bounded=pair.bounded)


def ratio(comparison: Comparison, metric: str, stat: Stat, policy: Policy) -> Change | Lack:
    """Candidate over baseline, over the cases that have both."""
    pair = paired(comparison, metric, policy)
    if isinstance(pair, Lack):
        return pair
    zero = sum(pair.baseline) == 0 or sum(pair.candidate) == 0
    if zero or (stat != "total" and min(*pair.baseline, *pair.candidate) <= 0):
        return Lack(
            outcome="inconclusive",
            observed=f"{metric} is 0 in {'total' if zero else 'some cases'}: there is no ratio",
            advice="Take this rule out of the gate, or name a metric that is above 0.",
        )
    return _ratio(pair.baseline, pair.candidate, pair.clusters, stat)


@lru_cache(maxsize=32)  # a rule is asked again at each of Holm's steps
def _ratio(
    baseline: tuple[float, ...], candidate: tuple[float, ...], clusters: tuple[str, ...], stat: Stat
) -> Change:
    match stat:
        case "total":
            return total_ratio(baseline, candidate, clusters)
        case "gmr":
            return geometric_mean_ratio(baseline, candidate, clusters)
        case _:
            return quantile_ratio(baseline, candidate, clusters, 0.5 if stat == "p50" else 0.95)


def paired(comparison: Comparison, metric: str, policy: Policy) -> Paired | Lack:
    """The pairs of a metric, unless too many cases lack one."""
    pair = comparison.pairs.get(mean_of(metric))
    n_pairs = len(pair.case_ids) if pair else 0
    lack = _lack(comparison, metric, policy, n_pairs, " on both sides")
    return lack or pair or _unscored(comparison, metric)


def _lack(
    comparison: Comparison, metric: str, policy: Policy, having: int, where: str
) -> Lack | None:
    void = _void(comparison, metric)
    if void:
        return Lack(
            outcome="invalid",
            observed=void.reason,
            advice="Read what it said of that answer, and mend the judge or its canary.",
        )
    if not having:
        return _unscored(comparison, metric)
    n_cases = comparison.n_cases
    if (n_cases - having) / n_cases > policy.missing_limit:
        return _missing(f"{n_cases - having} of {n_cases} cases", metric, policy, where)
    for side, count in _counts(comparison, metric).items():
        if count.asked - count.scored > policy.missing_limit * count.asked:
            lacking = f"{count.asked - count.scored} of {count.asked} results of the {side}"
            return _missing(lacking, metric, policy, "")
    return None


def _void(comparison: Comparison, metric: str) -> Canary | None:
    """What a judge said of a known-bad answer that makes it void, for either side."""
    said = (*comparison.candidate.canaries, *comparison.baseline.canaries)
    return next((each for each in said if each.void and each.metric == mean_of(metric)), None)


class _Count(NamedTuple):
    scored: int
    asked: int


def _counts(comparison: Comparison, metric: str) -> dict[str, _Count]:
    """Results that each side has of those it should have; where the scores came as a table, an
    empty cell may be a repeat that was never to be."""
    pair, sample = comparison.pairs.get(mean_of(metric)), comparison.samples.get(mean_of(metric))
    if not comparison.candidate.results or not sample:
        return {}
    counts = {"candidate": _Count(sample.scored, sample.asked)}
    if pair:
        counts["baseline"] = _Count(pair.scored[0], pair.asked[0])
    return counts


def _missing(what: str, metric: str, policy: Policy, where: str) -> Lack:
    return Lack(
        outcome=_unjudged(metric),
        observed=f"{what} have no {metric}{where}, "
        f"more than the limit of {100 * policy.missing_limit:.3g} %",
        advice="See in the errors why, mend it and evaluate again.",
    )


def _unjudged(metric: str) -> Outcome:
    """Without scores nothing can be judged; a measurement leaves the other rules to decide."""
    return "inconclusive" if mean_of(metric) in MEASUREMENTS else "invalid"


def _unscored(comparison: Comparison, metric: str) -> Lack:
    key = mean_of(metric)
    before, after = comparison.baseline, comparison.candidate
    if key in MEASUREMENTS:
        return _unmeasured(comparison, metric)
    table = not (after.results or after.dataset.cases)
    if key == "error" and table:
        return Lack(
            outcome="invalid",
            observed="nobody knows which runs failed: no line is of the scorer 'error'",
            advice="Add such a line for each run that failed, with 1, or one with 0 if none did.",
        )
    if key in after.scorers or key in before.scorers or key == "error":
        side = "candidate" if key not in after.scorers else "baseline"
        one_sided = key != "error" and (key in after.scorers) != (key in before.scorers)
        both = "" if is_alone(comparison) else " by both versions"
        why = f": the {side} was evaluated without this scorer" if one_sided else ""
        return Lack(
            outcome="invalid",
            observed=f"no case was scored on {metric!r}{both}{why}",
            advice=f"Evaluate the {side} with this scorer."
            if one_sided
            else "Give a line a value on both sides: cases are compared by their case_id."
            if table
            else "See in the scorer's errors why, mend it and evaluate again.",
        )
    scorers = sorted(after.scorers)
    return Lack(
        outcome="invalid",
        observed=f"no case was scored on {metric!r}; the scorers are {', '.join(scorers)}."
        + suggest(metric, [*scorers, *MEASUREMENTS, "error_rate"]),
        advice="Correct the metric in the gate, or add a scorer of this name.",
    )


def _unmeasured(comparison: Comparison, metric: str) -> Lack:
    sides = (comparison.baseline, comparison.candidate)
    scripted = mean_of(metric) in CHARGED and any(side.answerer.scripted for side in sides)
    recorded = mean_of(metric) == "latency_s" and any(
        is_reused(result) for side in sides for result in side.results
    )
    why = (
        ": the answers are scripted, no language model was called"
        if scripted
        else ": the answers were recorded, and no model was waited for"
        if recorded
        else ""
    )
    return Lack(
        outcome="inconclusive",
        observed=f"{metric} was not measured{why}",
        advice="Choose a provider that calls a model, or take this rule out of the gate."
        if why
        else "Take this rule out of the gate, or let the agent's calls report it.",
    )
