"""From findings to a verdict, to an order of candidates, to the outcome of a sweep."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import fmean

from vcmp.gates.alarms import EVERY
from vcmp.gates.evidence import mean_of
from vcmp.gates.findings import NEEDS
from vcmp.gates.hearing import hear, needs_baseline
from vcmp.gates.losses import losses
from vcmp.gates.names import named
from vcmp.gates.policy import Policy
from vcmp.gates.relative import natural_direction
from vcmp.types import Alert, Comparison, Evaluation, Finding, Outcome, Verdict, counted

GRAVEST: tuple[Outcome, ...] = ("invalid", "fail", "inconclusive", "pass")
BEST: tuple[Outcome, ...] = ("pass", "inconclusive", "fail", "invalid")
ALERTS: tuple[Alert, ...] = ("", "loss", "critical")
FIRST_USERS = 0.1
"""Share of the users for a candidate that passed rules about itself alone."""
WORDS: dict[Outcome, str] = {
    "pass": "holds",
    "fail": "does not hold",
    "inconclusive": "is not decided",
    "invalid": "cannot be judged",
}

NO_RULE = "The gate has no rule, so nothing was decided."
NO_RULE_ALONE = "Nothing was compared, and no rule of the gate looks at one version alone."


def decide(comparison: Comparison, policy: Policy, further: Sequence[Comparison] = ()) -> Verdict:
    """Judge a candidate by a policy.

    All rules that count must pass; where none counts nothing is decided. One that fails decides
    against any that are undecided, and one whose evidence cannot be judged (unscored cases, an
    interrupted evaluation, an unknown metric) makes the verdict invalid, whatever the others say: a
    failed gate means complete evidence. An agent's errors are evidence; they count as the worst
    score.

    Args:
        further: The same candidate compared with other baselines, such as a pinned version; the
            rules that compare must pass there as well.
    """
    findings = hear(policy.rules, comparison, policy, further)
    if findings:
        findings = [*_unanswered(comparison), *findings]
    return _verdict(comparison, findings, policy, NO_RULE)


def decide_all(
    candidates: Sequence[Sequence[Comparison]], policy: Policy, others: Sequence[Verdict] = ()
) -> list[Verdict]:
    """Judge several candidates, each given by its comparison with the baseline and its further
    ones.

    The best of several may pass by chance, and one of several may fail by chance, so they share
    alpha by Holm's steps, for a pass and for a failure.

    Args:
        others: Of further candidates, whose verdicts stand: an earlier look has decided them, or
            they are not evaluated as far.
    """
    places = range(len(candidates))
    outcomes = [verdict.outcome for verdict in others]
    n = len(candidates) + len(others)
    to_pass, to_fail = n - outcomes.count("pass"), n - outcomes.count("fail")
    verdicts: dict[int, Verdict] = {}
    passed: set[int] = set()
    failed: set[int] = set()
    while True:
        passes = 1 / max(1, to_pass - len(passed))
        fails = 1 / max(1, to_fail - len(failed))
        for place in places:
            if place not in passed | failed:
                first, *further = candidates[place]
                shared = policy.sharing(passes=passes, fails=fails)
                verdicts[place] = decide(first, shared, further)
        now_passed = {place for place in places if verdicts[place].outcome == "pass"}
        now_failed = {place for place in places if verdicts[place].outcome == "fail"}
        if (now_passed, now_failed) == (passed, failed) or len(now_passed | now_failed) == len(
            candidates
        ):
            return [verdicts[place] for place in places]
        passed, failed = now_passed, now_failed


def decide_alone(examined: Comparison, policy: Policy) -> Verdict:
    """Judge a version that was compared with nothing, by the rules that look at it alone.

    Those are the rules whose `needs_baseline` is False; a rule that does not say so is not asked.
    They get a comparison that has the version on both sides, and no pairs. Whatever they say, the
    verdict is invalid when results are missing or when every one failed.
    """
    rules = [rule for rule in policy.rules if not needs_baseline(rule)]
    gaps = [*_gaps(examined.candidate), *_unanswered(examined)]
    findings = [*gaps, *(rule(examined, policy) for rule in rules)]
    return _verdict(examined, findings, policy, NO_RULE_ALONE)


def settle(verdicts: Sequence[Verdict], policy: Policy) -> Outcome:
    """The outcome of a sweep: the gravest verdict where every candidate has to pass, the best one
    where one of them is chosen; pass when there are none."""
    outcomes = [verdict.outcome for verdict in verdicts]
    if policy.select == "best_passing":
        return min(outcomes, key=BEST.index, default="pass")
    return combine(outcomes)


def _gaps(evaluation: Evaluation) -> Iterator[Finding]:
    """What an interrupted evaluation lacks, whatever a policy asks for."""
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


def _unanswered(comparison: Comparison) -> Iterator[Finding]:
    """A candidate none of whose results is an answer is no evidence of anything."""
    errors = comparison.samples.get("error")
    if errors and errors.scored and errors.total == errors.scored:
        n = errors.scored
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
    comparison: Comparison, findings: Sequence[Finding], policy: Policy, without: str
) -> Verdict:
    version = comparison.candidate.version
    outcome = combine(finding.outcome for finding in counted(findings))
    return Verdict(
        candidate=version.name,
        variant=version.variant.name,
        outcome=outcome,
        findings=tuple(findings),
        reason=_reason(outcome, findings, policy) if findings else without,
        rollout=_rollout(findings, policy) if outcome == "pass" and findings else 0.0,
        alert=max((finding.alert for finding in findings), key=ALERTS.index, default=""),
        losses=losses(comparison, findings, policy),
        look=policy.stage.look,
        n_cases=comparison.n_cases,
    )


def _rollout(findings: Sequence[Finding], policy: Policy) -> float:
    """The least that the findings about primary metrics give; about all metrics where none is."""
    primary = {mean_of(metric) for metric in policy.primary}
    given = [finding for finding in findings if finding.rollout is not None]
    first = [finding for finding in given if mean_of(finding.metric) in primary] or given
    return min((f.rollout for f in first if f.rollout is not None), default=FIRST_USERS)


def _reason(outcome: Outcome, findings: Sequence[Finding], policy: Policy) -> str:
    """The first finding that decided, a primary metric's before others; what it needed is said by
    its rule."""
    deciding = [finding for finding in counted(findings) if finding.outcome == outcome]
    primary = {mean_of(metric) for metric in policy.primary}
    first = min(deciding, key=lambda finding: mean_of(finding.metric) not in primary)
    observed = first.observed.partition(NEEDS)[0]
    end = "" if observed.endswith(("?", ".")) else "."
    against = f" against {first.against}" if first.against else ""
    return f"{first.rule}{against} {WORDS[outcome]}: {observed}{end}"


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
    primary = policy.primary or tuple(named(policy.rules))

    def key(place: int) -> tuple[int, float, str]:
        verdict, comparison = verdicts[place], comparisons[place]
        gain = _mean_gain(comparison, primary)
        return BEST.index(verdict.outcome), -gain, verdict.variant

    return sorted(range(len(verdicts)), key=key)


def _mean_gain(comparison: Comparison, metrics: Iterable[str]) -> float:
    keys = {mean_of(metric) for metric in metrics}
    if EVERY in keys:
        keys |= set(comparison.candidate.scorers)
    gains = []
    for metric in keys & comparison.deltas.keys():
        if comparison.pairs[metric].bounded:
            gain = comparison.deltas[metric].difference
            gains.append(gain if natural_direction(comparison, metric) == "higher" else -gain)
    return fmean(gains) if gains else 0.0
