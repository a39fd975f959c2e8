"""Evaluations and conclusions by hand, each on a line: the nouns without the steps that make them.

`evaluation({"easy": 1.0, "hard": 0.0}, variant="basic")`, and of two of them
`conclusion(baseline, candidate, outcome="fail", findings=[finding("polite >= 0.80", "fail")])`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

from vcmp.calls import Call
from vcmp.gates import Policy
from vcmp.gates.losses import losses
from vcmp.metrics import MEASUREMENTS, mean_by_case
from vcmp.types import (
    Answerer,
    Case,
    Comparison,
    Conclusion,
    Dataset,
    Delta,
    Evaluation,
    Finding,
    Interval,
    Outcome,
    Paired,
    Result,
    Revision,
    Sample,
    Score,
    ScorerCard,
    Slice,
    Usage,
    Variant,
    Verdict,
    Version,
)

SCRIPTED = Answerer(
    name="scripted",
    scripted=True,
    description="scripted demo, no language model was called",
)
OPENAI = Answerer(name="openai", description="openai")

Value = float | str | None
"""A score; None is unscored; a text is the error with which the agent failed."""


def evaluation(
    scores: Mapping[str, Value | Sequence[Value]],
    *,
    metric: str = "polite",
    more: Mapping[str, Mapping[str, Value | Sequence[Value]]] | None = None,
    variant: str = "basic",
    params: Mapping[str, Any] | None = None,
    outputs: Mapping[str, Any] | None = None,
    cases: Sequence[Case] | None = None,
    answerer: Answerer = OPENAI,
    judges: Sequence[str] = (),
    rationales: Mapping[str, str] | None = None,
    commit: str = "a41e0d7" + "0" * 33,
    dirty: str = "",
    latency_s: float = 0.5,
    usage: Usage | None = None,
    model: str = "gpt-4o-mini",
    finish: str = "stop",
) -> Evaluation:
    """An evaluation with one result for each score; a sequence is a case's repeats.

    Args:
        scores: Of `metric`, by case id.
        more: Scores of further metrics, by metric and case id.
        outputs: By case id; by default `answer to <id>`.
        rationales: Of the scores, by case id.
    """
    metrics = {metric: scores, **(more or {})}
    repeats = max(len(_repeats(values)) for values in scores.values()) if scores else 1
    results = tuple(
        _result(
            case_id,
            repeat,
            {name: _repeats(values[case_id])[repeat] for name, values in metrics.items()},
            output=(outputs or {}).get(case_id, f"answer to {case_id}"),
            rationale=(rationales or {}).get(case_id, ""),
            latency_s=latency_s,
            usage=usage or Usage(input_tokens=40, output_tokens=20, cost_usd=0.0005),
            model=model,
            finish=finish,
        )
        for case_id in scores
        for repeat in range(repeats)
    )
    named = cases or [Case(id=case_id, inputs={"question": f"{case_id}?"}) for case_id in scores]
    return Evaluation(
        version=version(variant, params=params, commit=commit, dirty=dirty),
        dataset=Dataset(name="support", cases=tuple(named)),
        scorers={
            name: ScorerCard(
                digest=f"{name:0<64}", judge=name in judges, model=model if name in judges else ""
            )
            for name in metrics
        },
        answerer=answerer,
        results=results,
        repeats=repeats,
    )


def version(
    variant: str = "basic",
    *,
    params: Mapping[str, Any] | None = None,
    commit: str = "a41e0d7" + "0" * 33,
    dirty: str = "",
) -> Version:
    """A version of the app `app`; without a commit it is outside git."""
    name = f"app-{variant}-git-{commit[:8]}" if commit else f"app-{variant}-local-dev"
    return Version(
        name=f"{name}-dirty-{dirty}" if dirty else name,
        app="app",
        variant=Variant(name=variant, choice=variant, params=params or {"temperature": 0.3}),
        revision=Revision(commit=commit, branch="main", dirty=dirty) if commit else None,
    )


def comparison(baseline: Evaluation, candidate: Evaluation) -> Comparison:
    """Paired by case with a plain normal interval: enough to be shown, not to be believed."""
    names = [*baseline.scorers, *MEASUREMENTS, "error"]
    found = (_paired(baseline, candidate, name) for name in names)
    pairs = {pair.metric: pair for pair in found if pair.case_ids}
    tagged = (pair for pair in pairs.values() if pair.score and pair.tags)
    return Comparison(
        baseline=baseline,
        candidate=candidate,
        pairs=pairs,
        deltas={name: _delta(pair) for name, pair in pairs.items()},
        samples=dict(_samples(candidate, names)),
        n_cases=len(baseline.dataset.cases),
        slices={pair.metric: _slices(pair) for pair in tagged},
    )


def table(told: Conclusion, source: str = "scores.csv") -> Conclusion:
    """The same conclusion as if only scores had been at hand: no results, no cases, no commit."""

    def bare(side: Evaluation) -> Evaluation:
        name = side.version.variant.name
        return replace(
            side,
            version=Version(name=name, app="", variant=Variant(name=name)),
            dataset=Dataset(name="", cases=()),
            scorers={},
            answerer=Answerer(name="table", description=source),
            results=(),
        )

    variants = {e.version.name: e.version.variant.name for e in told.evaluations}
    return replace(
        told,
        evaluations=tuple(map(bare, told.evaluations)),
        baseline=variants[told.baseline],
        comparisons=tuple(
            replace(c, baseline=bare(c.baseline), candidate=bare(c.candidate))
            for c in told.comparisons
        ),
        verdicts=tuple(replace(v, candidate=v.variant) for v in told.verdicts),
        command="",
    )


def finding(
    rule: str = "polite >= 0.80",
    outcome: Outcome = "pass",
    *,
    metric: str = "polite",
    observed: str = "0.91 over 20 cases",
    advice: str = "",
    **more: Any,
) -> Finding:
    """A rule's answer."""
    return Finding(
        rule=rule, metric=metric, outcome=outcome, observed=observed, advice=advice, **more
    )


def verdict(
    candidate: Evaluation,
    outcome: Outcome = "pass",
    findings: Sequence[Finding] = (),
    reason: str = "polite rose by 0.17",
    **more: Any,
) -> Verdict:
    """A verdict about one candidate, on all of its cases."""
    return Verdict(
        candidate=candidate.version.name,
        variant=candidate.version.variant.name,
        outcome=outcome,
        findings=tuple(findings),
        reason=reason,
        **{"n_cases": len(candidate.dataset.cases), **more},
    )


def conclusion(
    baseline: Evaluation,
    *candidates: Evaluation,
    outcome: Outcome = "pass",
    findings: Sequence[Finding] | None = None,
    reason: str = "polite rose by 0.17",
    verdicts: Sequence[Verdict] | None = None,
    **more: Any,
) -> Conclusion:
    """A conclusion about `candidates`, all judged alike unless `verdicts` says otherwise.

    With a baseline alone nothing was compared. By default one rule was asked. Losses are those
    that the gate finds in the findings and comparisons.
    """
    if findings is None:
        findings = [finding(outcome=outcome)]
    if verdicts is None:
        verdicts = [verdict(each, outcome, findings, reason) for each in candidates]
    compared = [comparison(baseline, each) for each in candidates]
    by_name = {each.candidate.version.name: each for each in compared}
    own = comparison(baseline, baseline)
    policy = Policy(name="release")
    verdicts = [
        replace(each, losses=losses(by_name.get(each.candidate, own), each.findings, policy))
        for each in verdicts
    ]
    passed = [each.variant for each in verdicts if each.outcome == "pass"]
    return Conclusion(
        **{
            "evaluations": (baseline, *candidates),
            "baseline": baseline.version.name if candidates else "",
            "comparisons": tuple(compared),
            "verdicts": tuple(verdicts),
            "outcome": outcome,
            "best": passed[0] if passed and candidates else "",
            "gate": "release",
            "command": "python -m vcmp agent=empathetic,basic --multirun",
            **more,
        }
    )


def _repeats(values: Value | Sequence[Value]) -> Sequence[Value]:
    return [values] if values is None or isinstance(values, int | float | str) else values


def _result(
    case_id: str,
    repeat: int,
    values: Mapping[str, Value],
    *,
    output: Any,
    rationale: str,
    latency_s: float,
    usage: Usage,
    model: str,
    finish: str,
) -> Result:
    error = next((value for value in values.values() if isinstance(value, str)), "")
    scores = {
        name: Score(value=value, rationale=rationale)
        if isinstance(value, int | float)
        else Score(value=None, error="the judge gave no JSON")
        for name, value in values.items()
    }
    return Result(
        case_id=case_id,
        repeat=repeat,
        output=None if error else output,
        error=error,
        finish=finish,
        started_s=1_700_000_000.0,
        latency_s=latency_s,
        usage=usage,
        scores={} if error else scores,
        calls=(Call(api="chat.completions", requested_model=model, model=model),),
    )


def _paired(baseline: Evaluation, candidate: Evaluation, metric: str) -> Paired:
    before, after = mean_by_case(baseline, metric), mean_by_case(candidate, metric)
    both = [case.id for case in baseline.dataset.cases if case.id in before and case.id in after]
    clusters = {case.id: case.cluster or case.id for case in baseline.dataset.cases}
    return Paired(
        metric=metric,
        case_ids=tuple(both),
        clusters=tuple(clusters[case_id] for case_id in both),
        baseline=tuple(before[case_id] for case_id in both),
        candidate=tuple(after[case_id] for case_id in both),
        scored=(_n_scored(baseline, metric), _n_scored(candidate, metric)),
        asked=(baseline.n_asked, candidate.n_asked),
        n_cases=len(baseline.dataset.cases),
        score=metric in baseline.scorers,
        tags=_tags(baseline, both),
        repeats=float(baseline.repeats),
    )


def _tags(evaluation: Evaluation, case_ids: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    tags = {case.id: case.tags for case in evaluation.dataset.cases}
    return tuple(tags[case_id] for case_id in case_ids) if any(tags.values()) else ()


def _samples(evaluation: Evaluation, metrics: Sequence[str]) -> Iterator[tuple[str, Sample]]:
    clusters = {case.id: case.cluster or case.id for case in evaluation.dataset.cases}
    for metric in metrics:
        means = mean_by_case(evaluation, metric)
        scored = _n_scored(evaluation, metric)
        if means:
            yield (
                metric,
                Sample(
                    metric=metric,
                    case_ids=tuple(means),
                    clusters=tuple(clusters[case_id] for case_id in means),
                    values=tuple(means.values()),
                    total=fmean(means.values()) * scored,
                    scored=scored,
                    asked=evaluation.n_asked,
                    score=metric in evaluation.scorers,
                ),
            )


def _slices(pair: Paired) -> tuple[Slice, ...]:
    """The tags, most cases first; a loss stands out where its plain interval excludes 0."""
    places: dict[str, list[int]] = {}
    for place, tags in enumerate(pair.tags):
        for tag in tags:
            places.setdefault(tag, []).append(place)
    slices = []
    for tag, own in places.items():
        before = [pair.baseline[place] for place in own]
        after = [pair.candidate[place] for place in own]
        interval = _interval([b - a for a, b in zip(before, after, strict=True)])
        slices.append(
            Slice(
                tag=tag,
                baseline=fmean(before),
                candidate=fmean(after),
                interval=interval,
                n=len(own),
                lost=interval.high < 0,
            )
        )
    return tuple(sorted(slices, key=lambda each: (-each.n, each.tag)))


def _interval(changes: Sequence[float]) -> Interval:
    half = 1.96 * stdev(changes) / len(changes) ** 0.5 if len(changes) > 1 else 1.0
    return Interval(low=fmean(changes) - half, high=fmean(changes) + half)


def _n_scored(evaluation: Evaluation, metric: str) -> int:
    if metric not in evaluation.scorers:
        return sum(metric == "error" or not result.error for result in evaluation.results)
    return sum(result.value(metric) is not None for result in evaluation.results)


def _delta(pair: Paired) -> Delta:
    changes = [b - a for a, b in zip(pair.baseline, pair.candidate, strict=True)]
    better = [change if pair.score else -change for change in changes]
    return Delta(
        metric=pair.metric,
        baseline=fmean(pair.baseline),
        candidate=fmean(pair.candidate),
        difference=fmean(changes),
        interval=_interval(changes),
        n=len(changes),
        n_clusters=len(set(pair.clusters)),
        improved=sum(change > 0 for change in better),
        regressed=sum(change < 0 for change in better),
        same=sum(change == 0 for change in better),
        scored=pair.scored,
        asked=pair.asked,
        score=pair.score,
    )
