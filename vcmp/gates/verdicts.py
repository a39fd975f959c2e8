"""From findings to a verdict, to an order of candidates, to the outcome of a sweep."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

from vcmp.gates.evidence import mean_of
from vcmp.gates.findings import NEEDS
from vcmp.gates.policy import Policy
from vcmp.gates.relative import natural_direction
from vcmp.types import Comparison, Evaluation, Finding, Outcome, Verdict

GRAVEST: tuple[Outcome, ...] = ("invalid", "fail", "inconclusive", "pass")
BEST: tuple[Outcome, ...] = ("pass", "inconclusive", "fail", "invalid")
WORDS: dict[Outcome, str] = {
    "pass": "holds",
    "fail": "does not hold",
    "inconclusive": "is not decided",
    "invalid": "cannot be judged",
}

NO_RULE = "The gate has no rule, so nothing was decided."
NO_RULE_ALONE = "Nothing was compared, and no rule of the gate looks at one version alone."


def decide(comparison: Comparison, policy: Policy) -> Verdict:
    """Judge a candidate by a policy.

    All rules must pass. One that fails decides against any that are undecided, and one whose
    evidence cannot be judged (unscored cases, an interrupted evaluation, an unknown metric) makes
    the verdict invalid, whatever the others say: a failed gate means complete evidence. An agent's
    errors are evidence; they count as the worst score.
    """
    findings = [rule(comparison, policy) for rule in policy.rules]
    return _verdict(comparison.candidate, findings, policy, NO_RULE)


def decide_alone(evaluation: Evaluation, policy: Policy) -> Verdict:
    """Judge a version that was compared with nothing, by the rules that look at it alone.

    Those are the rules whose `needs_baseline` is False; a rule that does not say so is not asked.
    They get the evaluation on both sides of a comparison without pairs. Whatever they say, the
    verdict is invalid when results are missing or when every one failed.
    """
    alone = Comparison(baseline=evaluation, candidate=evaluation, pairs={}, deltas={})
    rules = [rule for rule in policy.rules if not getattr(rule, "needs_baseline", True)]
    findings = [*_gaps(evaluation), *(rule(alone, policy) for rule in rules)]
    return _verdict(evaluation, findings, policy, NO_RULE_ALONE)


def _gaps(evaluation: Evaluation) -> Iterator[Finding]:
    """What makes an evaluation worthless as evidence, whatever a policy asks for."""
    n, n_asked = len(evaluation.results), evaluation.n_asked
    if n < n_asked:
        yield Finding(
            rule="every case is evaluated",
            metric="error_rate",
            outcome="invalid",
            observed=f"{n_asked - n} of {n_asked} results are missing",
            advice="Evaluate again, to the end.",
            n=n,
        )
    if n and all(result.error for result in evaluation.results):
        yield Finding(
            rule="some case is answered",
            metric="error_rate",
            outcome="invalid",
            observed=f"all {n} results failed" if n > 1 else "the only result failed",
            advice="Read the errors of the failed cases.",
            estimate=1.0,
            n=n,
        )


def _verdict(
    evaluation: Evaluation, findings: Sequence[Finding], policy: Policy, without: str
) -> Verdict:
    outcome = combine(finding.outcome for finding in findings)
    return Verdict(
        candidate=evaluation.version.name,
        variant=evaluation.version.variant.name,
        outcome=outcome,
        findings=tuple(findings),
        reason=_reason(outcome, findings, policy) if findings else without,
    )


def _reason(outcome: Outcome, findings: Sequence[Finding], policy: Policy) -> str:
    """The first finding that decided, a primary metric's before others; what it needed is said by
    its rule."""
    deciding = [finding for finding in findings if finding.outcome == outcome]
    primary = {mean_of(metric) for metric in policy.primary}
    first = min(deciding, key=lambda finding: mean_of(finding.metric) not in primary)
    observed = first.observed.partition(NEEDS)[0]
    end = "" if observed.endswith(("?", ".")) else "."
    return f"{first.rule} {WORDS[outcome]}: {observed}{end}"


def combine(outcomes: Iterable[Outcome]) -> Outcome:
    """The gravest of several outcomes; pass when there are none.

    Invalid is graver than fail: what could not be judged has to be mended before a failure of the
    rest means anything.
    """
    return min(outcomes, key=GRAVEST.index, default="pass")


def rank(
    verdicts: Sequence[Verdict], comparisons: Sequence[Comparison], policy: Policy
) -> list[int]:
    """The places of the candidates, best first.

    By outcome, then by the mean gain over the policy's primary metrics (over those that rules name
    when it has none), then by name. Measurements do not count: their units cannot be averaged.
    """

    def key(place: int) -> tuple[int, float, str]:
        verdict, comparison = verdicts[place], comparisons[place]
        gain = _mean_gain(comparison, policy.primary or _named(verdict))
        return BEST.index(verdict.outcome), -gain, verdict.variant

    return sorted(range(len(verdicts)), key=key)


def _named(verdict: Verdict) -> tuple[str, ...]:
    return tuple(finding.metric for finding in verdict.findings)


def _mean_gain(comparison: Comparison, metrics: Iterable[str]) -> float:
    keys = {mean_of(metric) for metric in metrics}
    deltas = comparison.deltas.values()
    gains = [
        delta.difference if natural_direction(delta.metric) == "higher" else -delta.difference
        for delta in deltas
        if delta.metric in keys and (delta.score or delta.metric == "error")
    ]
    return fmean(gains) if gains else 0.0
