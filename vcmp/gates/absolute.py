"""Rules about the candidate alone."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

from vcmp.errors import ConfigError
from vcmp.gates.evidence import (
    Lack,
    candidate_mean,
    candidate_sample,
    candidate_summary,
    mean_of,
)
from vcmp.gates.findings import answer, lacking
from vcmp.gates.policy import Policy, refuse_unknown
from vcmp.gates.questions import Question, Side, Test, above, at_least, at_most, below
from vcmp.gates.words import cases_like, count_cases, limit, number, percent, seen
from vcmp.metrics import MEASUREMENTS
from vcmp.statistics import proving_cases
from vcmp.types import Comparison, Finding, Outcome

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
        safety: Bounds by Clopper and Pearson, which are never wrong more often than they say; of
            `error_rate` they always are.

    Raises:
        ConfigError: There is no limit, the limits exclude each other, or the metric has no bound.
    """

    needs_baseline: ClassVar[bool] = False

    metric: str
    min: float | None = None
    max: float | None = None
    evidence: EvidenceKind = "bound"
    safety: bool = False

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
            proves=self._proves,
            refutes=self._refutes,
            describe=number,
            by_point=self.evidence == "point",
        )
        exact = self.safety or mean_of(self.metric) == "error"
        evidence = candidate_mean(comparison, self.metric, policy, exact=exact)
        return answer(question, evidence, policy)

    def _rule(self) -> str:
        limits = [f">= {limit(self.min)}"] if self.min is not None else []
        limits += [f"<= {limit(self.max)}"] if self.max is not None else []
        return f"{self.metric} {' and '.join(limits)}"

    def _proves(self, low: float, high: float) -> Side | None:
        least: list[Test] = [at_least(self.min)] if self.min is not None else []
        most: list[Test] = [at_most(self.max)] if self.max is not None else []
        sides = [test(low, high) for test in least + most]
        return sides[0] if all(sides) else None

    def _refutes(self, low: float, high: float) -> Side | None:
        under: list[Test] = [below(self.min)] if self.min is not None else []
        over: list[Test] = [above(self.max)] if self.max is not None else []
        return next(filter(None, (test(low, high) for test in under + over)), None)

    def _of_summary(self, comparison: Comparison, policy: Policy) -> Finding:
        value = candidate_summary(comparison, self.metric, policy)
        if isinstance(value, Lack):
            return lacking(self._rule(), self.metric, value)
        sample = comparison.samples[mean_of(self.metric).partition("/")[0]]
        n, n_clusters = len(sample.case_ids), len(set(sample.clusters))
        holds = self._proves(value, value)
        outcome: Outcome = "pass" if holds else "fail"
        return Finding(
            rule=self._rule(),
            metric=self.metric,
            outcome="inconclusive" if policy.early else outcome,
            observed=number(value) + seen(count_cases(n, n_clusters), n_clusters),
            advice="" if holds else "Look at the cases with the largest values.",
            estimate=value,
            n=n,
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
        error = mean_of(self.metric) == "error"
        question = Question(
            rule=f"{self.metric} <= {limit(self.max)}",
            metric=self.metric,
            proves=at_most(self.max),
            refutes=above(self.max),
            describe=number,
            if_failed="Read the errors of the failed cases."
            if error
            else "Read the cases that scored highest.",
        )
        evidence = candidate_mean(comparison, self.metric, policy, exact=True)
        finding = answer(question, evidence, policy)
        if isinstance(evidence, Lack) or finding.outcome != "inconclusive" or evidence.estimate:
            return finding
        # if the rate stays 0 (Hanley and Lippman-Hand, 1983, "If nothing goes wrong, is everything
        # all right?", JAMA 249)
        needed = proving_cases(evidence, lambda _, high: high <= self.max, policy.pass_level)
        what = "0 errors prove" if error else "0 everywhere proves"
        cases = cases_like(needed, evidence.n, evidence.n_clusters)
        more = f"{cases}: add {needed - evidence.n:.0f}"
        advice = f"{what} below {percent(self.max)} only from {more}."
        return replace(finding, needed_cases=needed, advice=advice)


@dataclass(frozen=True, slots=True)
class NoFailures:
    """The candidate failed on no case."""

    needs_baseline: ClassVar[bool] = False

    def __call__(self, comparison: Comparison, policy: Policy) -> Finding:
        rule = "no case fails"
        sample = candidate_sample(comparison, "error_rate", policy)
        if isinstance(sample, Lack):
            return lacking(rule, "error_rate", sample)
        failed = [name for name, rate in zip(sample.case_ids, sample.values, strict=True) if rate]
        first = f", the first of them {failed[0]}" if failed else ""
        return Finding(
            rule=rule,
            metric="error_rate",
            outcome="fail" if failed else "inconclusive" if policy.early else "pass",
            observed=f"{sample.total:g} of {sample.scored} results failed{first}",
            advice="Read the errors of the failed cases." if failed else "",
            estimate=sample.total / sample.scored,
            n=len(sample.case_ids),
        )


def refuse_text(where: str, **limits: object) -> None:
    """Raise a ConfigError for a limit that is neither a number nor left out."""
    for name, value in limits.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ConfigError(f"{where}: {name} {value!r} is not a number. Correct the value.")
