"""Pairwise judges in a sweep: asked when the versions have answered, read when it is concluded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vcmp import preferences, results
from vcmp.preferences import Round
from vcmp.results import Preferences
from vcmp.scorers import card_of
from vcmp.types import Evaluation, Plan, Preference, Result, ScorerCard


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


def open_contests(baseline: Evaluation, candidates: Sequence[Candidate]) -> list[Contest]:
    """Let the pairwise judges of each candidate's plan compare it with the baseline.

    What needs no judge, or was judged before the sweep was ended, is saved at once; the plans of
    the rounds ask for the rest.
    """
    return [
        Contest(round=round, folder=candidate.folder)
        for candidate in candidates
        for round in _rounds(baseline, candidate)
    ]


def _rounds(baseline: Evaluation, candidate: Candidate) -> list[Round]:
    judges = candidate.plan.pairwise
    pairs = preferences.pairs(baseline, candidate.evaluation)
    earlier = load(candidate.folder, baseline).preferences if judges else ()
    rounds = [
        preferences.make_round(
            metric, judge, pairs, candidate.plan, [e for e in earlier if e.metric == metric]
        )
        for metric, judge in judges.items()
    ]
    if rounds:
        record = Preferences(
            baseline=baseline.version.name,
            judges={metric: card_of(judge) for metric, judge in judges.items()},
            pairs=tuple((pair.case.id, pair.candidate.repeat) for pair in pairs),
            given=tuple(each for round in rounds for each in round.settled),
        )
        results.save_preferences(record, candidate.folder)
    return rounds


def load(folder: Path, baseline: Evaluation) -> Judged:
    """What was saved about a candidate; nothing where it was compared with another version.

    Raises:
        ResultsError: The files are damaged.
    """
    saved = results.load_preferences(folder)
    if saved is None or saved.baseline != baseline.version.name:
        return Judged()
    given = preferences.complete(saved.given, saved.judges, saved.pairs)
    return Judged(preferences=given, judges=saved.judges)


def unasked(plans: Sequence[Plan]) -> tuple[str, ...]:
    """A note that names the pairwise judges of plans that are compared with nothing."""
    names = dict.fromkeys(metric for plan in plans for metric in plan.pairwise)
    if not names:
        return ()
    return (f"{', '.join(names)} was not asked: there is no baseline to compare outputs with",)
