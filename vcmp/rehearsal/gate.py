"""The gate without a run: made-up results go through the real comparison and the real policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vcmp import gates
from vcmp.comparison import pair
from vcmp.gates import Policy
from vcmp.types import (
    Answerer,
    Arm,
    Case,
    Comparison,
    Dataset,
    Evaluation,
    Result,
    ScorerCard,
    Variant,
    Verdict,
    Version,
    prefix,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A gate, and the cases that it decides on."""

    policy: Policy
    cases: tuple[Case, ...]
    """Only ids, clusters and tags count."""
    scorers: Mapping[str, ScorerCard]
    answerer: Answerer
    repeats: int = 1
    seed: int = 0
    """Of the order in which planned looks see the cases."""
    alone: bool = False
    """Whether versions are compared with nothing."""

    def decide(
        self, baseline: Arm, candidates: Sequence[Arm], anchors: Sequence[Arm] = ()
    ) -> list[Verdict]:
        """Judge candidates by what was seen of them, look by look where looks are planned."""
        if self.alone:
            return [gates.decide_alone(self._examined(arm), self.policy) for arm in candidates]
        order = self._order()
        looks = self.policy.looks

        def compare_at(look: int) -> list[list[Comparison]]:
            seen = order[: prefix(len(order), look, looks)]
            sides = (baseline, *anchors)
            return [[self.compare(side, arm, seen) for side in sides] for arm in candidates]

        return [looked.verdict for looked in gates.look_by_look(compare_at, self.policy)]

    def decide_at_end(self, baseline: Arm, candidate: Arm, n_candidates: int) -> Verdict:
        """Judge one of several candidates that are all the same, with no look before the last."""
        if self.alone:
            return gates.decide_alone(self._examined(candidate), self.policy)
        looks = self.policy.looks
        policy = self.policy.at(looks) if looks > 1 else self.policy
        compared = self.compare(baseline, candidate, self.cases)
        return gates.decide_all([[compared]] * n_candidates, policy)[0]

    def compare(self, baseline: Arm, candidate: Arm, cases: Sequence[Case]) -> Comparison:
        """Pair what was seen of two versions over these cases."""
        before, after = self._version("baseline"), self._version("candidate")
        return pair(baseline, candidate, cases, baseline=before, candidate=after)

    def _order(self) -> tuple[Case, ...]:
        if self.policy.looks == 1:
            return self.cases
        return Dataset(name="", cases=self.cases).shuffled(self.seed)

    def _examined(self, arm: Arm) -> Comparison:
        """One version on both sides, as `comparison.examine` makes it."""
        version = replace(
            self._version("candidate"),
            dataset=Dataset(name="", cases=self.cases),
            results=tuple(
                Result(case_id=case.id, repeat=repeat)
                for case in self.cases
                for repeat in range(self.repeats)
            ),
            repeats=self.repeats,
        )
        compared = pair(arm, arm, self.cases, baseline=version, candidate=version)
        return replace(compared, pairs={}, deltas={}, slices={})

    def _version(self, name: str) -> Evaluation:
        return Evaluation(
            version=Version(name=name, app="", variant=Variant(name=name)),
            dataset=Dataset(name="", cases=()),
            scorers=self.scorers,
            answerer=self.answerer,
            results=(),
        )
