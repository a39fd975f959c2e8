"""From findings to a verdict, to an order of candidates, to the outcome of a sweep."""

from collections.abc import Iterable, Sequence
from statistics import fmean

from vcmp.gates.evidence import mean_of
from vcmp.gates.policy import Policy
from vcmp.gates.relative import natural_direction
from vcmp.types import Comparison, Finding, Outcome, Verdict

GRAVEST: tuple[Outcome, ...] = ("invalid", "fail", "inconclusive", "pass")
BEST: tuple[Outcome, ...] = ("pass", "inconclusive", "fail", "invalid")
WORDS: dict[Outcome, str] = {
    "pass": "holds",
    "fail": "does not hold",
    "inconclusive": "is not decided",
    "invalid": "cannot be judged",
}


def decide(comparison: Comparison, policy: Policy) -> Verdict:
    """Judge a candidate by a policy.

    All rules must pass. One that fails decides against any that are undecided, and one whose
    evidence cannot be judged (unscored cases, an interrupted evaluation, an unknown metric) makes
    the verdict invalid, whatever the others say: a failed gate means complete evidence. An agent's
    errors are evidence; they count as the worst score.
    """
    findings = tuple(rule(comparison, policy) for rule in policy.rules)
    outcome = combine(finding.outcome for finding in findings)
    version = comparison.candidate.version
    return Verdict(
        candidate=version.name,
        variant=version.variant.name,
        outcome=outcome,
        findings=findings,
        reason=_reason(outcome, findings, policy),
    )


def _reason(outcome: Outcome, findings: Sequence[Finding], policy: Policy) -> str:
    deciding = [finding for finding in findings if finding.outcome == outcome]
    if not deciding:
        return "The gate has no rule, so nothing was decided."
    primary = {mean_of(metric) for metric in policy.primary}
    first = min(deciding, key=lambda finding: mean_of(finding.metric) not in primary)
    end = "" if first.observed.endswith(("?", ".")) else "."
    return f"{first.rule} {WORDS[outcome]}: {first.observed}{end}"


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
