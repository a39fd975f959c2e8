"""Rules about the candidate alone."""

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from vcmp.errors import ConfigError
from vcmp.gates.evidence import Lack, candidate_mean, candidate_summary, mean_of
from vcmp.gates.findings import (
    Judgement,
    Question,
    answer,
    at_least,
    at_most,
    count_cases,
    lacking,
    limit,
    number,
    seen,
)
from vcmp.gates.policy import Policy, refuse_unknown
from vcmp.metrics import MEASUREMENTS
from vcmp.types import Comparison, Finding

EvidenceKind = Literal["bound", "point"]


@dataclass(frozen=True, slots=True)
class Threshold:
    """The candidate's value of a metric is at least `min` and at most `max`.

    By `bound` the value must be so for certain, and where it is neither certainly so nor certainly
    not, the finding is inconclusive. By `point` the number seen decides, however few the cases:
    an unchanged agent whose true value is the limit then fails every other time.

    Args:
        metric: A scorer, a measurement (its mean), `error_rate`, or, by `point`, any public name:
            `latency_s/p95`, `cost_usd/total`.

    Raises:
        ConfigError: There is no limit, the limits exclude each other, or the metric has no bound.
    """

    needs_baseline: ClassVar[bool] = False

    metric: str
    min: float | None = None
    max: float | None = None
    evidence: EvidenceKind = "bound"

    def __post_init__(self) -> None:
        refuse_unknown("Threshold", "evidence", self.evidence, get_args(EvidenceKind))
        refuse_text("Threshold", min=self.min, max=self.max)
        if self.min is None and self.max is None:
            raise ConfigError(f"Threshold: {self.metric} has no limit. Give min, max or both.")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ConfigError(
                f"Threshold: min {self.min!r} is above max {self.max!r}. Swap or drop one."
            )
        if self.evidence == "bound" and "/" in mean_of(self.metric):
            raise ConfigError(
                f"Threshold: {self.metric!r} is one number without a bound. Set evidence: point."
            )

    def __call__(self, comparison: Comparison, policy: Policy) -> Finding:
        if "/" in mean_of(self.metric):
            return self._of_summary(comparison, policy)
        question = Question(
            rule=self._rule(),
            metric=self.metric,
            judge=self._judge,
            describe=number,
            by_point=self.evidence == "point",
        )
        exact = mean_of(self.metric) == "error"
        evidence = candidate_mean(comparison, self.metric, policy, exact=exact)
        return answer(question, evidence, policy)

    def _rule(self) -> str:
        limits = [f">= {limit(self.min)}"] if self.min is not None else []
        limits += [f"<= {limit(self.max)}"] if self.max is not None else []
        return f"{self.metric} {' and '.join(limits)}"

    def _judge(self, low: float, high: float) -> Judgement:
        judgements = []
        if self.min is not None:
            judgements.append(at_least(low, high, self.min))
        if self.max is not None:
            judgements.append(at_most(low, high, self.max))
        order = ("fail", "inconclusive", "pass")
        return min(judgements, key=lambda judgement: order.index(judgement.outcome))

    def _of_summary(self, comparison: Comparison, policy: Policy) -> Finding:
        value = candidate_summary(comparison, self.metric, policy)
        if isinstance(value, Lack):
            return lacking(self._rule(), self.metric, value)
        ids = {result.case_id for result in comparison.candidate.results}
        cases = [case for case in comparison.candidate.dataset.cases if case.id in ids]
        clusters = {case.cluster or case.id for case in cases}
        outcome = self._judge(value, value).outcome
        return Finding(
            rule=self._rule(),
            metric=self.metric,
            outcome=outcome,
            observed=number(value) + seen(count_cases(len(cases), len(clusters)), len(clusters)),
            advice="Look at the cases with the largest values." if outcome == "fail" else "",
            estimate=value,
            n=len(cases),
        )


@dataclass(frozen=True, slots=True)
class MaxRate:
    """A rate, such as `error_rate`, is at most `max` for certain.

    The bound is Clopper and Pearson's: no failure in n independent cases proves a rate below
    3 / n, so a limit of 0.05 takes 59 cases and one of 0.01 takes 299.

    Raises:
        ConfigError: `max` is no rate, or the metric is a measurement.
    """

    needs_baseline: ClassVar[bool] = False

    metric: str
    max: float

    def __post_init__(self) -> None:
        if not 0 < self.max < 1:
            raise ConfigError(
                f"MaxRate: max {self.max!r} is not between 0 and 1. "
                "For a rate of exactly 0 use NoFailures."
            )
        if mean_of(self.metric) in MEASUREMENTS or "/" in mean_of(self.metric):
            raise ConfigError(f"MaxRate: {self.metric!r} is no rate. Use Threshold or MaxRatio.")

    def __call__(self, comparison: Comparison, policy: Policy) -> Finding:
        question = Question(
            rule=f"{self.metric} <= {limit(self.max)}",
            metric=self.metric,
            judge=lambda low, high: at_most(low, high, self.max),
            describe=number,
            if_failed="Read the errors of the failed cases."
            if mean_of(self.metric) == "error"
            else "Read the cases that scored highest.",
        )
        evidence = candidate_mean(comparison, self.metric, policy, exact=True)
        return answer(question, evidence, policy)


@dataclass(frozen=True, slots=True)
class NoFailures:
    """The candidate failed on no case."""

    needs_baseline: ClassVar[bool] = False

    def __call__(self, comparison: Comparison, policy: Policy) -> Finding:
        rule = "no case fails"
        evidence = candidate_mean(comparison, "error_rate", policy)
        if isinstance(evidence, Lack):
            return lacking(rule, "error_rate", evidence)
        results = comparison.candidate.results
        failed = sorted(result.case_id for result in results if result.error)
        first = f", the first of them {failed[0]}" if failed else ""
        return Finding(
            rule=rule,
            metric="error_rate",
            outcome="fail" if failed else "pass",
            observed=f"{len(failed)} of {len(results)} results failed{first}",
            advice="Read the errors of the failed cases." if failed else "",
            estimate=len(failed) / len(results),
            n=len(results),
        )


def refuse_text(where: str, **limits: object) -> None:
    """Raise a ConfigError for a limit that is neither a number nor left out."""
    for name, value in limits.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ConfigError(f"{where}: {name} {value!r} is not a number. Correct the value.")
