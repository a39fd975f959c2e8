"""Pairwise judges in a sweep: asked when the versions have answered, read when it is concluded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vcmp import canaries, preferences, results
from vcmp.canaries import Ask
from vcmp.preferences import Round
from vcmp.results import Preferences
from vcmp.scorers import card_of
from vcmp.types import Canary, Evaluation, Plan, Preference, Result, ScorerCard


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A version that is compared with the baseline, and where its files are."""

    plan: Plan
    evaluation: Evaluation
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """A judge's round about one candidate, and where its preferences are kept."""

    round: Round
    folder: Path

    def keep(self, result: Result) -> None:
        """Save what a result of the round's plan says."""
        results.append_preference(self.round.read(result), self.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What pairwise judges thought of a candidate, one preference for each pair and judge."""

    preferences: tuple[Preference, ...] = ()
    judges: Mapping[str, ScorerCard] | None = None
    """Their cards, by metric."""
    canaries: tuple[Canary, ...] = ()
    """What they made of a known-bad answer."""


def open_contests(baseline: Evaluation, candidates: Sequence[Candidate], ask: Ask) -> list[Contest]:
    """Let the pairwise judges of each candidate's plan compare it with the baseline.

    First each judge is shown a known-bad answer beside one of the baseline's; one that is void is
    asked nothing else. What needs no judge, or was judged before the sweep was ended, is saved at
    once; the plans of the rounds ask for the rest.
    """
    if not candidates:
        return []
    plan = candidates[0].plan
    cards = {metric: card_of(judge) for metric, judge in plan.pairwise.items()}
    known = load(candidates[0].folder, baseline).canaries
    record = Preferences(
        baseline=baseline.version.name,
        judges=cards,
        canaries=canaries.duel(plan, cards, baseline, ask, known),
    )
    return [
        Contest(round=round, folder=candidate.folder)
        for candidate in candidates
        for round in _rounds(baseline, candidate, record)
    ]


def _rounds(baseline: Evaluation, candidate: Candidate, record: Preferences) -> list[Round]:
    """The rounds of the judges that are not void; saves what is known before they are held."""
    pairs = preferences.pairs(baseline, candidate.evaluation)
    void = {canary.metric for canary in record.canaries if canary.void}
    earlier = load(candidate.folder, baseline).preferences if record.judges else ()
    rounds = [
        preferences.make_round(
            metric, judge, pairs, candidate.plan, [e for e in earlier if e.metric == metric]
        )
        for metric, judge in candidate.plan.pairwise.items()
        if metric not in void
    ]
    if record.judges:
        known = replace(
            record,
            pairs=tuple((pair.case.id, pair.candidate.repeat) for pair in pairs),
            given=tuple(each for round in rounds for each in round.settled),
        )
        results.save_preferences(known, candidate.folder)
    return rounds


def load(folder: Path, baseline: Evaluation) -> Judged:
    """What was saved about a candidate; nothing where it was compared with another version.

    Raises:
        ResultsError: The files are damaged.
    """
    saved = results.load_preferences(folder)
    if saved is None or saved.baseline != baseline.version.name:
        return Judged()
    void = {canary.metric: canary.reason for canary in saved.canaries if canary.void}
    given = preferences.complete(saved.given, saved.judges, saved.pairs, void)
    return Judged(preferences=given, judges=saved.judges, canaries=saved.canaries)


def unasked(plans: Sequence[Plan]) -> tuple[str, ...]:
    """A note that names the pairwise judges of plans that are compared with nothing."""
    names = dict.fromkeys(metric for plan in plans for metric in plan.pairwise)
    if not names:
        return ()
    return (f"{', '.join(names)} was not asked: there is no baseline to compare outputs with",)
