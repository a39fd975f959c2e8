"""Deal the repeats of a version out into two halves, and let the gate decide."""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import pvariance

from vcmp import gates
from vcmp.comparison import pair, restrict
from vcmp.errors import ConfigError, ResultsError
from vcmp.gates import Policy, Rule, Superiority
from vcmp.rehearsal import (
    Runs,
    all_keys,
    clusters_of,
    is_foreign,
    keys_of,
    leaves,
    plain,
    runs_of,
)
from vcmp.selfcheck.found import Flakiness, Rate, SelfCheck, Share
from vcmp.statistics import rate
from vcmp.types import (
    Arm,
    Case,
    Comparison,
    Dataset,
    Evaluation,
    Interval,
    Outcome,
    Verdict,
    prefix,
)

Deal = Mapping[str, Sequence[int]]
"""By case id, which of its repeats."""
OUTCOMES: tuple[Outcome, ...] = ("pass", "fail", "inconclusive", "invalid")
CONFIDENCE = 0.95
SPLITS = 200
SEED = 20241122
"""The same runs are dealt out alike."""
ERROR = "error"
WORST = 3
"""Flakiest cases that are named."""


def check(evaluation: Evaluation, policy: Policy, n_splits: int = SPLITS) -> SelfCheck:
    """Compare a version with itself.

    Each split deals out the repeats of each case at random into two equal halves; of an odd number
    one is left out. The splits are seeded: the same runs give the same numbers. They are not
    independent of each other, for all deal out the same runs: more of them make the share among
    all possible splits more certain, and not what other runs would show.

    Raises:
        ConfigError: The policy has no rule about anything that was scored.
        ResultsError: No case has two results.
    """
    runs = runs_of(evaluation)
    asked, skipped = _askable(policy, runs)
    _refuse(evaluation, asked, runs)
    bench = _Bench(
        evaluation=evaluation,
        policy=asked,
        runs=_read_by(asked, runs, evaluation),
        cases=plain(runs.cases, asked),
    )
    causes = bench.causes()
    verdicts = [bench.split(random.Random(f"{SEED}/{number}")) for number in range(n_splits)]
    found = _count(bench, verdicts, causes)
    flakiness = tuple(_flakiness(runs, metric) for metric in (*evaluation.scorers, ERROR))
    return replace(found, flakiness=flakiness, skipped=skipped)


def _refuse(evaluation: Evaluation, asked: Policy, runs: Runs) -> None:
    if not asked.rules:
        raise ConfigError(
            f"gate={asked.name}: has no rule that these runs could fail. Choose another: gate=…"
        )
    if not any(len(rows) > 1 for rows in runs.rows.values()):
        raise ResultsError(
            f"{evaluation.version.name} has one result a case, and a check of the gate compares "
            "repeats.\n  Evaluate it with more: vcmp selfcheck repeats=8"
        )


def _count(bench: "_Bench", verdicts: Sequence[Verdict], causes: Collection[int]) -> SelfCheck:
    """What the verdicts say, without the cases that differ."""
    rules, version = bench.policy.rules, bench.evaluation.version
    false = [_false_alarms(verdict, rules, causes) for verdict in verdicts]
    gains = [_has_gain(verdict, rules) for verdict in verdicts]
    names = [finding.rule for finding in verdicts[0].findings]
    return SelfCheck(
        version=version.name,
        variant=version.variant.name,
        gate=bench.policy.name,
        alpha=bench.policy.alpha,
        n_cases=len(bench.cases),
        n_clusters=len(clusters_of(bench.cases)),
        repeats=bench.evaluation.repeats,
        outcomes={
            outcome: _share([verdict.outcome == outcome for verdict in verdicts])
            for outcome in OUTCOMES
        },
        alerts=_share([verdict.alert != "" for verdict in verdicts]),
        false_alarms=_share([bool(places) for places in false]),
        false_gains=_share(gains) if any(map(_is_superiority, rules)) else None,
        rules=_rates(false, names, rules),
        lost=tuple(names[place] for place in causes),
        unjudged=next((v.reason for v in verdicts if v.outcome == "invalid"), ""),
    )


def _askable(policy: Policy, runs: Runs) -> tuple[Policy, tuple[str, ...]]:
    """The policy without the rules about what these runs have no value of, and what that is."""
    missing = {
        place: key
        for place, rule in enumerate(policy.rules)
        for leaf in leaves([rule])
        for key in keys_of(leaf, ())
        if key not in runs.metrics
    }
    kept = tuple(rule for place, rule in enumerate(policy.rules) if place not in missing)
    return replace(policy, rules=kept), tuple(dict.fromkeys(missing.values()))


def _read_by(policy: Policy, runs: Runs, evaluation: Evaluation) -> Runs:
    """The runs with only the metrics that the policy's rules read; with all where one of them is
    the project's own."""
    if any(map(is_foreign, policy.rules)):
        return runs
    read = all_keys(policy, evaluation.scorers)
    return replace(runs, metrics=tuple(metric for metric in runs.metrics if metric in read))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """Where the runs of a version are judged as if they were two versions."""

    evaluation: Evaluation
    policy: Policy
    runs: Runs
    cases: tuple[Case, ...]

    def split(self, dice: random.Random) -> Verdict:
        """Deal the repeats of each case out into two halves, and let the gate decide."""
        before: dict[str, Sequence[int]] = {}
        after: dict[str, Sequence[int]] = {}
        for case_id, rows in self.runs.rows.items():
            half = len(rows) // 2
            mixed = dice.sample(range(len(rows)), 2 * half)
            before[case_id], after[case_id] = mixed[:half], mixed[half:]
        return self.decide(before, after)

    def decide(self, before: Deal, after: Deal) -> Verdict:
        """Judge the second deal as a candidate, the first one being the baseline."""
        arms, sides = self._arms(before, after), (self._side(before), self._side(after))
        order = Dataset(name="", cases=self.cases).shuffled(self.evaluation.seed)

        def compare_at(look: int) -> list[list[Comparison]]:
            seen = order[: prefix(len(order), look, self.policy.looks)]
            ids = [case.id for case in seen]
            baseline, candidate = (restrict(side, ids) for side in sides)
            return [[pair(*arms, seen, baseline=baseline, candidate=candidate)]]

        (looked,) = gates.look_by_look(compare_at, self.policy)
        return looked.verdict

    def _arms(self, before: Deal, after: Deal) -> tuple[Arm, Arm]:
        rows = self.runs.rows
        first, second = (
            self.runs.arm({c: [rows[c][n] for n in places] for c, places in deal.items()})
            for deal in (before, after)
        )
        return first, second

    def _side(self, deal: Deal) -> Evaluation:
        dealt = (self.runs.results[c][n] for c, places in deal.items() for n in places)
        repeats = max(map(len, deal.values()))
        return replace(self.evaluation, results=tuple(dealt), repeats=repeats)

    def causes(self) -> tuple[int, ...]:
        """The places of the rules about one version alone that all of the runs together fail."""
        every = {case_id: range(len(rows)) for case_id, rows in self.runs.rows.items()}
        findings = self.decide(every, every).findings
        return tuple(
            place
            for place, rule in enumerate(self.policy.rules)
            if findings[place].outcome == "fail" and not getattr(rule, "needs_baseline", True)
        )


def _false_alarms(
    verdict: Verdict, rules: Sequence[Rule], causes: Collection[int]
) -> tuple[int, ...]:
    """The places of the rules that failed without cause, or found a loss.

    That equal versions are not better by point is no false alarm.
    """
    found = []
    for place, (rule, finding) in enumerate(zip(rules, verdict.findings, strict=True)):
        excused = place in causes or (_is_superiority(rule) and _is_by_point(rule))
        if finding.alert or (finding.outcome == "fail" and not excused):
            found.append(place)
    return tuple(found)


def _has_gain(verdict: Verdict, rules: Sequence[Rule]) -> bool:
    """Whether a rule found one version better than itself."""
    return any(
        finding.outcome == "pass" and _is_superiority(rule)
        for rule, finding in zip(rules, verdict.findings, strict=True)
    )


def _is_superiority(rule: Rule) -> bool:
    return isinstance(rule, Superiority)


def _share(hits: Sequence[bool]) -> Share:
    bounds = rate([float(hit) for hit in hits], [str(number) for number in range(len(hits))])
    low, high = bounds.bounds((1 - CONFIDENCE) / 2)
    return Share(
        n=sum(hits), of=len(hits), interval=Interval(low=low, high=high, confidence=CONFIDENCE)
    )


def _rates(
    false: Sequence[Collection[int]], names: Sequence[str], rules: Sequence[Rule]
) -> tuple[Rate, ...]:
    rates = [
        Rate(
            rule=name,
            n=sum(place in places for places in false),
            by_point=_is_by_point(rules[place]),
        )
        for place, name in enumerate(names)
    ]
    return tuple(sorted((each for each in rates if each.n), key=lambda each: -each.n))


def _is_by_point(rule: Rule) -> bool:
    return any(getattr(leaf, "evidence", "bound") == "point" for leaf in leaves([rule]))


def _flakiness(runs: Runs, metric: str) -> Flakiness:
    varying = runs.varying(metric)
    ordered = sorted(varying, key=lambda case_id: -pvariance(varying[case_id]))
    twice = (sum(metric in row for row in rows) > 1 for rows in runs.rows.values())
    return Flakiness(
        scorer=metric,
        n=len(varying),
        n_cases=sum(twice),
        worst=tuple((c, min(varying[c]), max(varying[c])) for c in ordered[:WORST]),
    )
