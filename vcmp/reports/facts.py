"""What a reader has to know to trust the numbers: who answered, what failed, what was compared."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import get_args

from vcmp.calls import Source
from vcmp.reports.lookups import counts_of, judge_of, measured_by
from vcmp.reports.text import cut
from vcmp.types import Canary, Conclusion, Evaluation, Score

N_CASES = 5
"""Case ids named with a problem."""
N_PROBLEMS = 12
"""Different problems shown for a version."""
N_CHARACTERS = 300
"""Of a problem's text; what is equal up to there counts as one problem."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One way in which an agent or a scorer failed, and where."""

    text: str
    count: int
    case_ids: tuple[str, ...]
    """The first of them."""
    n_cases: int
    scorer: str = ""
    """"" when it was the agent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model that calls asked for, and the one that answered."""

    requested: str
    answered: str
    n_calls: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of what was asked of a version came back."""

    variant: str
    version: str
    answerer: str
    asked: int
    answered: int
    failed: int
    outcomes: tuple[tuple[str, int], ...]
    """What became of the runs that gave no whole answer, and how many did so."""
    not_run: int
    unscored: int
    """Scores that a scorer could not give."""
    models: tuple[Model, ...]
    sources: tuple[tuple[str, int], ...]
    """Calls that were live, cached and replayed; empty when all were live."""
    problems: tuple[Problem, ...]
    n_problems: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """A scorer, by the digest that both sides share."""

    name: str
    digest: str
    judge: str
    """"" for a rule; "judge" or "scripted judge" for one that asks."""
    model: str


def coverage(evaluation: Evaluation) -> Coverage | None:
    """Count what was asked, answered, failed, not run and not scored; None where nobody knows."""
    counts = counts_of(evaluation)
    if counts is None:
        return None
    found = problems(evaluation)
    return Coverage(
        variant=evaluation.version.variant.name,
        version=evaluation.version.name,
        answerer=evaluation.answerer.description or evaluation.answerer.name,
        asked=counts.asked,
        answered=counts.answered,
        failed=counts.failed,
        outcomes=outcomes(evaluation),
        not_run=counts.not_run,
        unscored=sum(problem.count for problem in found if problem.scorer),
        models=models(evaluation),
        sources=sources(evaluation),
        problems=tuple(found[:N_PROBLEMS]),
        n_problems=len(found),
    )


def outcomes(evaluation: Evaluation) -> tuple[tuple[str, int], ...]:
    """The outcomes of runs that gave no whole answer, the most frequent first."""
    counted = Counter(result.outcome for result in evaluation.results if result.outcome != "ok")
    return tuple(sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def sources(evaluation: Evaluation) -> tuple[tuple[str, int], ...]:
    """Where the replies to the agent's calls came from; empty when a model gave all of them."""
    counted = Counter(call.source for result in evaluation.results for call in result.calls)
    if not set(counted) - {"live"}:
        return ()
    return tuple((source, counted[source]) for source in get_args(Source))


def problems(evaluation: Evaluation) -> list[Problem]:
    """Each failure of an agent or scorer once: the agent's first, the frequent before the rare."""
    cases: dict[tuple[str, str], list[str]] = {}
    for result in evaluation.results:
        for key in _failures(result.error, evaluation.scorers, result.scores):
            cases.setdefault(key, []).append(result.case_id)
    found = [_problem(*key, case_ids) for key, case_ids in cases.items()]
    return sorted(found, key=lambda p: (bool(p.scorer), -p.count, p.scorer, p.text))


def _failures(
    error: str, scorers: Iterable[str], scores: Mapping[str, Score]
) -> list[tuple[str, str]]:
    if error:
        return [("", cut(error, N_CHARACTERS))]
    missing = Score(value=None, error="gave no score")
    found = ((name, scores.get(name, missing)) for name in scorers)
    return [
        (name, cut(score.error or "gave no score", N_CHARACTERS))
        for name, score in found
        if score.value is None
    ]


def _problem(scorer: str, text: str, case_ids: Sequence[str]) -> Problem:
    distinct = tuple(dict.fromkeys(case_ids))
    return Problem(
        text=text,
        count=len(case_ids),
        case_ids=distinct[:N_CASES],
        n_cases=len(distinct),
        scorer=scorer,
    )


def models(evaluation: Evaluation) -> tuple[Model, ...]:
    """The models asked for and those that answered, the most used first."""
    pairs = Counter(
        (call.requested_model, call.model) for result in evaluation.results for call in result.calls
    )
    ranked = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Model(requested=a, answered=b, n_calls=n) for (a, b), n in ranked)


def yardsticks(conclusion: Conclusion) -> tuple[Yardstick, ...]:
    """The scorers that all versions of a comparison share, pairwise judges among them."""
    first = measured_by(conclusion)
    return tuple(
        Yardstick(name=name, digest=card.digest[:12], judge=judge_of(first, name), model=card.model)
        for name, card in first.scorers.items()
    )


def canaries(conclusion: Conclusion) -> tuple[Canary, ...]:
    """What each judge made of a known-bad answer; of several times the one that makes it void."""
    found: dict[str, Canary] = {}
    for evaluation in conclusion.evaluations:
        for canary in evaluation.canaries:
            if canary.metric not in found or canary.void:
                found[canary.metric] = canary
    return tuple(found.values())


def agreements(conclusion: Conclusion) -> tuple[tuple[str, float], ...]:
    """Judges that were asked several times, and the share of their votes that agree, on average
    over all that they judged."""
    shares: dict[str, list[float]] = {}
    for evaluation in conclusion.evaluations:
        for result in evaluation.results:
            for name, score in result.scores.items():
                if score.agreement is not None:
                    shares.setdefault(name, []).append(score.agreement)
    for comparison in conclusion.comparisons:
        for name, share in comparison.agreement.items():
            shares.setdefault(name, []).append(share)
    return tuple((name, fmean(each)) for name, each in sorted(shares.items()))
