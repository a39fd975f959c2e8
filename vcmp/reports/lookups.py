"""What stands where in a conclusion: the lookups that report, screen and JSON share."""

from statistics import fmean
from typing import NamedTuple

from vcmp.metrics import mean_by_case
from vcmp.types import Comparison, Conclusion, Delta, Evaluation, Finding, Verdict, counted


class Counts(NamedTuple):
    """What came of an evaluation."""

    asked: int
    answered: int
    failed: int
    not_run: int


def is_judged(verdict: Verdict) -> bool:
    """Whether any rule was asked: a gate without one lets everything pass and decides nothing."""
    return bool(verdict.findings) or verdict.outcome != "pass"


def is_decided(conclusion: Conclusion) -> bool:
    """Whether any version was judged."""
    return any(map(is_judged, conclusion.verdicts))


def has_results(evaluation: Evaluation) -> bool:
    """Whether its cases and results are at hand; they are not where scores came as a table."""
    return bool(evaluation.dataset.cases or evaluation.results)


def answered_by(conclusion: Conclusion) -> list[str]:
    """Who answered, once each, in the order of the versions."""
    answerers = (evaluation.answerer for evaluation in conclusion.evaluations)
    return list(dict.fromkeys(answerer.description or answerer.name for answerer in answerers))


def is_scripted(conclusion: Conclusion) -> bool:
    """Whether any version was answered without a language model."""
    return any(evaluation.answerer.scripted for evaluation in conclusion.evaluations)


def baseline_of(conclusion: Conclusion) -> Evaluation | None:
    """The evaluation the others are compared with."""
    return conclusion.evaluations[0] if conclusion.baseline else None


def comparison_of(conclusion: Conclusion, evaluation: Evaluation) -> Comparison | None:
    """The comparison in which `evaluation` is the candidate."""
    if evaluation is baseline_of(conclusion):
        return None
    name = evaluation.version.name
    return next((c for c in conclusion.comparisons if c.candidate.version.name == name), None)


def judged_in(conclusion: Conclusion, verdict: Verdict) -> Comparison | None:
    """The comparison that a verdict is about; None where nothing was compared."""
    named = (e for e in conclusion.evaluations if e.version.name == verdict.candidate)
    return next((c for e in named if (c := comparison_of(conclusion, e))), None)


def verdict_of(conclusion: Conclusion, evaluation: Evaluation) -> Verdict | None:
    """The verdict about `evaluation`; None for the baseline."""
    if evaluation is baseline_of(conclusion):
        return None
    name = evaluation.version.name
    return next((v for v in conclusion.verdicts if v.candidate == name), None)


def told(verdict: Verdict) -> Finding | None:
    """The finding that `Verdict.reason` tells, so that no list has to tell it again."""
    found = deciding(verdict)
    return found if found and verdict.reason.startswith(found.rule) else None


def deciding(verdict: Verdict) -> Finding | None:
    """The finding that decided: one that counts and has the verdict's outcome, the one in its
    reason first."""
    same = [finding for finding in counted(verdict.findings) if finding.outcome == verdict.outcome]
    return max(same, key=lambda finding: verdict.reason.startswith(finding.rule), default=None)


def shipped(conclusion: Conclusion) -> str:
    """The variant to ship: the best that passed, if the sweep did; "" where nothing is to be."""
    return conclusion.best if conclusion.outcome == "pass" and is_decided(conclusion) else ""


def known_metrics(comparison: Comparison) -> dict[str, Delta]:
    """The deltas that mean something: neither latency nor cost when answers were scripted."""
    sides = (comparison.baseline, comparison.candidate)
    scripted = any(side.answerer.scripted for side in sides)
    unknown = {"latency_s", "cost_usd"} if scripted else set()
    return {name: delta for name, delta in comparison.deltas.items() if name not in unknown}


def scorer_of(finding: Finding) -> str:
    """The scorer whose metric a rule looked at; `polite` for `polite/mean` too."""
    return finding.metric.removesuffix("/mean")


def measured_by(conclusion: Conclusion) -> Evaluation:
    """The evaluation whose cards are those of all; a pairwise judge has one in comparisons only."""
    compared = [comparison.candidate for comparison in conclusion.comparisons]
    return max([conclusion.evaluations[0], *compared], key=lambda e: len(e.scorers))


def judge_of(evaluation: Evaluation, metric: str) -> str:
    """`judge` for a scorer that asks a model, `scripted judge` where rules answered in its place,
    "" for one that asks nobody."""
    card = evaluation.scorers.get(metric.removesuffix("/mean"))
    if card is None or not card.judge:
        return ""
    return "scripted judge" if evaluation.answerer.scripted else "judge"


def scripted_mark(evaluation: Evaluation, metric: str) -> str:
    """What stands beside each number of a scripted judge, so that none is taken for a model's."""
    judge = judge_of(evaluation, metric)
    return f" ({judge})" if judge == "scripted judge" else ""


def metrics_of(conclusion: Conclusion) -> list[str]:
    """The names of all scores: first those that rules name, in the rules' order."""
    known = dict.fromkeys(name for e in conclusion.evaluations for name in e.scorers)
    deltas = (delta for c in conclusion.comparisons for delta in c.deltas.values())
    known |= dict.fromkeys(delta.metric for delta in deltas if delta.score)
    findings = (finding for verdict in conclusion.verdicts for finding in verdict.findings)
    named = dict.fromkeys(scorer_of(finding) for finding in findings)
    return [name for name in named if name in known] + [n for n in known if n not in named]


def decisive_metrics(conclusion: Conclusion) -> list[str]:
    """The scores that rules name; all of them when no rule names one."""
    findings = (finding for verdict in conclusion.verdicts for finding in verdict.findings)
    named = {scorer_of(finding) for finding in findings}
    every = metrics_of(conclusion)
    return [name for name in every if name in named] or every


def most_moved(conclusion: Conclusion) -> str:
    """Of the metrics that decide, the one whose scores changed in most cases; "" without any."""

    def moved(metric: str) -> int:
        deltas = (c.deltas[metric] for c in conclusion.comparisons if metric in c.deltas)
        return sum(delta.improved + delta.regressed for delta in deltas)

    return max(decisive_metrics(conclusion), key=moved, default="")


def n_cases_of(conclusion: Conclusion, evaluation: Evaluation) -> int:
    """Cases that a version was to be evaluated on."""
    if has_results(evaluation):
        return len(evaluation.dataset.cases)
    name = evaluation.version.name
    sides = ((c, (c.baseline, c.candidate)) for c in conclusion.comparisons)
    counts = [c.n_cases for c, both in sides if name in (side.version.name for side in both)]
    return max(counts, default=0)


def counts_of(evaluation: Evaluation) -> Counts | None:
    """How many results were asked for and what came of them; None where nobody knows."""
    if not has_results(evaluation):
        return None
    failed = sum(bool(result.error) for result in evaluation.results)
    n, asked = len(evaluation.results), evaluation.n_asked
    return Counts(asked=asked, answered=n - failed, failed=failed, not_run=asked - n)


def mean_of(conclusion: Conclusion, evaluation: Evaluation, metric: str) -> float | None:
    """The mean of a score over the cases of a version; where its results are not at hand, or a
    pairwise judge gave the score, over the pairs.

    None where there is none, or the baseline has another one in each comparison.
    """
    means = mean_by_case(evaluation, metric)
    return fmean(means.values()) if means else mean_of_pairs(conclusion, evaluation, metric)


def mean_of_pairs(conclusion: Conclusion, evaluation: Evaluation, metric: str) -> float | None:
    """The mean of a metric over the pairs; None where the baseline has several."""
    if evaluation is baseline_of(conclusion):
        deltas = (c.deltas[metric] for c in conclusion.comparisons if metric in c.deltas)
        means = {round(delta.baseline, 9): delta.baseline for delta in deltas}
        return next(iter(means.values())) if len(means) == 1 else None
    delta = _delta_of(conclusion, evaluation, metric)
    return delta.candidate if delta else None


def coverage_of(
    conclusion: Conclusion, evaluation: Evaluation, metric: str
) -> tuple[int, int] | None:
    """Results that have the score, and results there should be; None where nobody knows."""
    if has_results(evaluation) and metric in evaluation.scorers:
        scored = sum(result.value(metric) is not None for result in evaluation.results)
        return scored, evaluation.n_asked
    delta = _delta_of(conclusion, evaluation, metric)
    side = 0 if evaluation is baseline_of(conclusion) else 1
    return (delta.scored[side], delta.asked[side]) if delta and delta.asked[side] else None


def _delta_of(conclusion: Conclusion, evaluation: Evaluation, metric: str) -> Delta | None:
    comparison = comparison_of(conclusion, evaluation)
    if evaluation is baseline_of(conclusion) and conclusion.comparisons:
        comparison = conclusion.comparisons[0]
    return comparison.deltas.get(metric) if comparison else None
