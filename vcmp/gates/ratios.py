"""The rule about the candidate's latency, tokens or cost in units of the baseline's."""

from dataclasses import dataclass, replace
from typing import get_args

from vcmp.errors import ConfigError
from vcmp.gates.evidence import Lack, Stat, ratio
from vcmp.gates.findings import answer, lacking
from vcmp.gates.policy import Policy, refuse_unknown
from vcmp.gates.questions import Question, above, at_most
from vcmp.gates.relative import refuse_statistic
from vcmp.gates.words import cases_of, limit, number
from vcmp.statistics import Evidence
from vcmp.types import Comparison, Finding

ENOUGH_FOR_P95 = 300
"""Cases; with fewer a 95th percentile rests on a handful of them."""
MISSING_IN_TAIL = 0.01
"""Share of the cases that a 95th percentile may lack: a fifth of those beyond it."""
REPORTED = "reported only, it neither proves nor blocks"


@dataclass(frozen=True, slots=True)
class MaxRatio:
    """The candidate's latency, tokens or cost is at most `max` times the baseline's, for certain.

    Args:
        stat: Ratio of what: `p50`, `p95` (reported only below 300 cases), `total`, or `gmr`, the
            geometric mean of the cases' own ratios.

    Raises:
        ConfigError: `max` is not above 0, the statistic unknown, or part of the metric's name.
    """

    metric: str
    max: float = 1.2
    stat: Stat = "p50"

    def __post_init__(self) -> None:
        refuse_statistic("MaxRatio", self.metric)
        refuse_unknown("MaxRatio", "stat", self.stat, get_args(Stat))
        if not self.max > 0:
            raise ConfigError(f"MaxRatio: max {self.max!r} is not above 0. Try 1.2.")

    def __call__(self, comparison: Comparison, policy: Policy) -> Finding:
        name = f"{self.metric}/{self.stat}"
        question = Question(
            rule=f"{name} <= {limit(self.max)} x baseline",
            metric=self.metric,
            proves=at_most(self.max),
            refutes=above(self.max),
            describe=lambda value: f"{number(value)} x baseline",
            is_loss=above(1.0),
            is_critical=above(self.max),
            if_failed="Look at the cases that grew most.",
        )
        evidence = ratio(comparison, self.metric, self.stat, policy)
        if self.stat == "p95":
            return self._of_tail(question, comparison, evidence, policy)
        return answer(question, evidence, policy)

    def _of_tail(
        self, question: Question, comparison: Comparison, evidence: Evidence | Lack, policy: Policy
    ) -> Finding:
        """What too few cases tell of a tail is reported and does not count, unless more of them
        are to come."""
        counts = _cases_at_end(comparison, policy) >= ENOUGH_FOR_P95
        if counts:
            evidence = self._unless_tail_is_missing(comparison, evidence)
        if isinstance(evidence, Lack):
            finding = lacking(question.rule, self.metric, evidence)
            only = finding.outcome == "inconclusive" and not counts
            observed = f"{finding.observed}; {REPORTED}" if only else finding.observed
            return replace(finding, report_only=only, observed=observed)
        if evidence.n >= ENOUGH_FOR_P95:
            return answer(question, evidence, policy)
        return self._report(question, evidence, counts=counts and policy.early)

    def _report(self, question: Question, evidence: Evidence, *, counts: bool) -> Finding:
        seen = f"{question.describe(evidence.estimate)} over {cases_of(evidence)}"
        few = f"{seen}, too few for a 95th percentile"
        return Finding(
            rule=question.rule,
            metric=self.metric,
            outcome="inconclusive",
            observed=few if counts else f"{few}: {REPORTED}",
            advice=f"Use stat: p50 or gmr, or evaluate at least {ENOUGH_FOR_P95} cases.",
            estimate=evidence.estimate,
            n=int(evidence.n),
            needed_cases=ENOUGH_FOR_P95,
            report_only=not counts,
        )

    def _unless_tail_is_missing(
        self, comparison: Comparison, evidence: Evidence | Lack
    ) -> Evidence | Lack:
        """What has no value may be what took longest: a few of these are the whole tail."""
        if isinstance(evidence, Lack):
            return evidence
        missing = comparison.n_cases - int(evidence.n)
        if missing <= MISSING_IN_TAIL * comparison.n_cases:
            return evidence
        return Lack(
            outcome="inconclusive",
            observed=f"{missing} of {comparison.n_cases} cases have no {self.metric}, "
            "and a 95th percentile may lie among them",
            advice="See in the errors why, or use stat: p50 or gmr.",
        )


def _cases_at_end(comparison: Comparison, policy: Policy) -> float:
    """The most cases there can be at the last planned look, if this look sees these."""
    if not policy.early:
        return comparison.n_cases
    return comparison.n_cases * policy.looks / policy.stage.look
