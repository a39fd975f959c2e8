"""From a comparison to the evidence about one metric, or to what is lacking."""

from dataclasses import dataclass
from typing import Literal

from vcmp.errors import suggest
from vcmp.gates.policy import Policy
from vcmp.metrics import CHARGED, MEASUREMENTS, mean_by_case, summarize
from vcmp.statistics import (
    Evidence,
    geometric_mean_ratio,
    measured_mean,
    paired_difference,
    quantile_ratio,
    rate,
    total_ratio,
)
from vcmp.types import Comparison, Evaluation, Outcome, Paired

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


def candidate_mean(
    comparison: Comparison, metric: str, policy: Policy, *, exact: bool = False
) -> Evidence | Lack:
    """The candidate's mean over its cases, whether or not the baseline has a value for them."""
    key, evaluation = mean_of(metric), comparison.candidate
    values = mean_by_case(evaluation, key) if _has(evaluation, key) else {}
    cases = sorted(evaluation.dataset.cases, key=lambda case: case.id)
    having = [case for case in cases if case.id in values]
    where = "" if is_alone(comparison) else " for the candidate"
    lack = _lack(comparison, metric, policy, len(having), where)
    if lack:
        return lack
    numbers = [values[case.id] for case in having]
    clusters = [case.cluster or case.id for case in having]
    if key in MEASUREMENTS:
        return measured_mean(numbers, clusters, largest=max(numbers) or 1.0)
    return rate(numbers, clusters, exact=exact)


def _has(evaluation: Evaluation, key: str) -> bool:
    """Whether a metric means anything there; a failed agent has a score on any name at all."""
    if key in CHARGED:
        return not evaluation.answerer.scripted
    return key in evaluation.scorers or key in MEASUREMENTS or key == "error"


def candidate_summary(comparison: Comparison, metric: str, policy: Policy) -> float | Lack:
    """A metric of the candidate that is one number: `latency_s/p95`, `cost_usd/total`."""
    name = metric.partition("/")[0]
    covered = candidate_mean(comparison, name, policy)
    if isinstance(covered, Lack):
        return covered
    known = summarize(comparison.candidate)
    if metric in known:
        return known[metric]
    return Lack(
        outcome="invalid",
        observed=f"there is no metric {metric!r}.{suggest(metric, known)}",
        advice="Correct the metric in the gate.",
    )


def difference(comparison: Comparison, metric: str, policy: Policy) -> Evidence | Lack:
    """Candidate minus baseline, over the cases that have both."""
    pair = paired(comparison, metric, policy)
    if isinstance(pair, Lack):
        return pair
    bounded = pair.metric not in MEASUREMENTS
    return paired_difference(pair.baseline, pair.candidate, pair.clusters, bounded=bounded)


def ratio(comparison: Comparison, metric: str, stat: Stat, policy: Policy) -> Evidence | Lack:
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
    match stat:
        case "total":
            return total_ratio(pair.baseline, pair.candidate, pair.clusters)
        case "gmr":
            return geometric_mean_ratio(pair.baseline, pair.candidate, pair.clusters)
        case _:
            q = 0.5 if stat == "p50" else 0.95
            return quantile_ratio(pair.baseline, pair.candidate, pair.clusters, q)


def paired(comparison: Comparison, metric: str, policy: Policy) -> Paired | Lack:
    """The pairs of a metric, unless too many cases lack one."""
    pair = comparison.pairs.get(mean_of(metric))
    n_pairs = len(pair.case_ids) if pair else 0
    lack = _lack(comparison, metric, policy, n_pairs, " on both sides")
    return lack or pair or _unscored(comparison, metric)


def _lack(
    comparison: Comparison, metric: str, policy: Policy, having: int, where: str
) -> Lack | None:
    if not having:
        return _unscored(comparison, metric)
    n_cases = len(comparison.candidate.dataset.cases)
    if (n_cases - having) / n_cases <= policy.missing_limit:
        return None
    return Lack(
        outcome=_unjudged(metric),
        observed=(
            f"{n_cases - having} of {n_cases} cases have no {metric}{where}, "
            f"more than the limit of {100 * policy.missing_limit:.3g} %"
        ),
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
    return Lack(
        outcome="inconclusive",
        observed=f"{metric} was not measured"
        + (": the answers are scripted, no language model was called" if scripted else ""),
        advice="Choose a provider that calls a model, or take this rule out of the gate."
        if scripted
        else "Take this rule out of the gate, or let the agent's calls report it.",
    )
