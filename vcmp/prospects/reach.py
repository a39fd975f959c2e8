"""What a policy can reach at all: it is asked about the best results that there could be."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from vcmp.errors import suggest
from vcmp.gates import MaxRate, MaxRatio, Policy, Rule, Threshold
from vcmp.gates.words import cases_like, count_cases
from vcmp.metrics import MEASUREMENTS
from vcmp.prospects.occasions import Occasion, foresee
from vcmp.rehearsal import Rehearsal, all_keys, clusters_of, grown, is_foreign, keys_of, leaves
from vcmp.types import Arm, Case, Finding, Plan

Sides = tuple[float, float]
"""What every run of the baseline has, and every run of the candidate."""
PART = 40
"""Clusters: what passes on so many passes on more, and is asked in a moment."""
MOST_CASES = 10_000
"""More are not looked for."""
FEW, MOST_TOLD = 400, 1_000
"""Clusters, and cases: with more of them a run is not told what its policy cannot reach."""
BEST_SCORES: tuple[Sides, ...] = ((0.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 0.0))
BEST_PREFERENCES: tuple[Sides, ...] = ((0.5, 1.0), (0.5, 0.5), (0.5, 0.0))
BEST_MEASUREMENTS: tuple[Sides, ...] = ((1000.0, 1.0), (1.0, 1.0), (1000.0, 1000.0))
BEST_ERRORS: tuple[Sides, ...] = ((0.0, 0.0), (1.0, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Whether a rule can pass."""

    rule: str
    """In words."""
    passes: bool | None
    """None where nobody knows before a run, and where it does not count."""
    observed: str = ""
    """What is in the way even of the best results; "" for a pass."""
    needed: str = ""
    """How many cases it takes, in words; "" where no number of them would do."""
    report_only: bool = False
    """Whether with so few cases it does not count, and so bars no pass."""

    @property
    def lack(self) -> str:
        """Why it cannot pass, after its name."""
        return self.rule + (f" takes {self.needed}" if self.needed else f": {self.observed}")


def reaches(occasion: Occasion, most_cases: int = MOST_CASES) -> tuple[Reach, ...]:
    """Whether each rule of a policy can pass, with these cases, at any result.

    A rule is asked about the best results there could be: a perfect candidate against a baseline
    that fails everywhere, two equal versions, no errors, a tiny part of the baseline's tokens. Of
    several candidates all are the same, and of planned looks the last counts, which sees all cases
    at the most lenient level.

    Args:
        most_cases: Up to so many it is sought how many a rule takes that cannot pass.
    """
    rules = [rule for rule in occasion.policy.rules if _is_asked(rule, occasion)]
    return tuple(_reach(rule, occasion, most_cases) for rule in rules)


def barred(found: Iterable[Reach], occasion: Occasion) -> str:
    """Why the policy cannot pass at any result, in a sentence without a full stop; "" if it can.

    Rules that take more cases are all told, of the others the first. A policy none of whose rules
    counts decides nothing.
    """
    reaches = list(found)
    lacks = [each for each in reaches if each.passes is False]
    if all(each.report_only for each in reaches):
        lacks = reaches
    if not lacks:
        return ""
    counted = [each.lack for each in lacks if each.needed]
    others = [each.lack for each in lacks if not each.needed]
    more = [f"{len(others) - 1} more cannot either"] if others[1:] else []
    cases = f" with {counted_cases(occasion.cases)}" if counted else ""
    return f"this policy cannot pass{cases}: {'; '.join([*counted, *others[:1], *more])}"


def counted_cases(cases: Sequence[Case]) -> str:
    """`135 cases in 42 clusters`."""
    return count_cases(len(cases), len(clusters_of(cases)))


def _is_asked(rule: Rule, occasion: Occasion) -> bool:
    return not occasion.alone or not getattr(rule, "needs_baseline", True)


def _reach(rule: Rule, occasion: Occasion, most_cases: int) -> Reach:
    if is_foreign(rule):
        return Reach(rule=type(rule).__name__, passes=None)
    only = replace(occasion, policy=replace(occasion.policy, rules=(rule,)))
    part = tuple(case for cluster in clusters_of(occasion.cases)[:PART] for case in cluster)
    finding = _best(rule, only, part)
    if finding.outcome != "pass" and len(part) < len(occasion.cases):
        finding = _best(rule, only, occasion.cases)
    if finding.outcome == "pass":
        return Reach(rule=finding.rule, passes=True)
    missing = _missing(only)
    return Reach(
        rule=finding.rule,
        passes=None if finding.report_only else False,
        observed=missing or finding.observed.rstrip("."),
        needed="" if missing else _needed(rule, only, finding, most_cases),
        report_only=finding.report_only,
    )


def _missing(occasion: Occasion) -> str:
    """What a rule reads that nothing is going to give; "" where there is nothing like that."""
    wanted = sorted(all_keys(occasion.policy, occasion.scorers) - {*occasion.metrics})
    if not wanted:
        return ""
    if wanted[0] in MEASUREMENTS:
        return f"{wanted[0]} is not measured where no language model is called"
    known = (*occasion.scorers, *MEASUREMENTS, "error_rate")
    return f"no scorer is called {wanted[0]!r}.{suggest(wanted[0], known)}".rstrip(".")


def _best(rule: Rule, occasion: Occasion, cases: tuple[Case, ...]) -> Finding:
    """The rule's finding on the best results, as far as they can be told apart."""
    rehearsal = occasion.rehearsal(cases)
    findings = []
    for sides in _best_sides(rule, occasion, rehearsal):
        findings.append(_ask(rehearsal, sides, occasion.n_candidates))
        if findings[-1].outcome == "pass":
            break
    return findings[-1]


def _ask(rehearsal: Rehearsal, sides: Mapping[str, Sides], n_candidates: int) -> Finding:
    before, after = (_arm(rehearsal, sides, side) for side in (0, 1))
    return rehearsal.decide_at_end(before, after, n_candidates).findings[0]


def _arm(rehearsal: Rehearsal, sides: Mapping[str, Sides], side: int) -> Arm:
    return Arm(
        values={
            metric: {case.id: (values[side],) for case in rehearsal.cases}
            for metric, values in sides.items()
        },
        measurements=frozenset(sides.keys() - rehearsal.scorers.keys() - {"error"}),
    )


def _best_sides(
    rule: Rule, occasion: Occasion, rehearsal: Rehearsal
) -> Iterator[Mapping[str, Sides]]:
    """Each state alike for all metrics; for a rule made of rules first the best of each metric."""
    states = {metric: list(_states(metric, rule, occasion)) for metric in _known(rule, occasion)}
    if len(states) > 1:
        yield _favourites(states, rule, rehearsal)
    for place in range(max(map(len, states.values()), default=1)):
        yield {metric: own[place % len(own)] for metric, own in states.items()}


def _favourites(
    states: Mapping[str, Sequence[Sides]], rule: Rule, rehearsal: Rehearsal
) -> Mapping[str, Sides]:
    """Metric by metric, the state with which most of the inner rules pass."""
    sides = {metric: own[0] for metric, own in states.items()}
    inner = tuple(leaves([rule]))

    def n_passed(state: Sides) -> int:
        tried = {**sides, metric: state}
        asked = (replace(rehearsal.policy, rules=(leaf,)) for leaf in inner)
        found = [_ask(replace(rehearsal, policy=policy), tried, 1).outcome for policy in asked]
        return found.count("pass")

    for metric, own in states.items():
        sides[metric] = max(own, key=n_passed)
    return sides


def _known(rule: Rule, occasion: Occasion) -> list[str]:
    """The metrics that a rule reads, and that there are going to be."""
    only = replace(occasion, policy=replace(occasion.policy, rules=(rule,)))
    return sorted(only.metrics)


def _states(metric: str, rule: Rule, occasion: Occasion) -> Iterator[Sides]:
    own = [leaf for leaf in leaves([rule]) if keys_of(leaf, occasion.scorers) == (metric,)]
    for leaf in own:
        if isinstance(leaf, MaxRatio):
            yield 1.0, leaf.max / 1000
        elif isinstance(leaf, Threshold) and None not in (leaf.min, leaf.max):
            middle = fmean(limit for limit in (leaf.min, leaf.max) if limit is not None)
            yield middle, middle
    if len(own) == 1 and isinstance(own[0], MaxRatio):
        return
    if metric in occasion.pairwise:
        yield from BEST_PREFERENCES
    elif metric in occasion.scorers:
        yield from BEST_SCORES
    else:
        yield from BEST_ERRORS if metric == "error" else BEST_MEASUREMENTS


def _needed(rule: Rule, occasion: Occasion, finding: Finding, most_cases: int) -> str:
    """The fewest cases, in clusters like these, with which the rule passes, in words."""
    n_clusters, needed = len(clusters_of(occasion.cases)), finding.needed_cases
    if isinstance(rule, MaxRate) and needed:  # the same number as the gate's after a run
        like = cases_like(needed, len(occasion.cases), n_clusters)
        return like.removesuffix(" cases")

    def passes(n_clusters: int) -> bool:
        return _best(rule, occasion, grown(occasion.cases, n_clusters)[0]).outcome == "pass"

    found = _first(passes, n_clusters, n_clusters * most_cases // len(occasion.cases))
    if found is None:
        return ""
    cases = grown(occasion.cases, found)[0]
    return str(found) if len(cases) == found else f"{counted_cases(cases)} like these"


def _first(passes: Callable[[int], bool], fails: int, most: int) -> int | None:
    """The smallest number above one that fails, up to the most."""
    low, high = fails, min(2 * fails, most)
    while low < high and not passes(high):
        low, high = high, min(2 * high, most)
    if low >= high:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high


def warning(
    plans: Sequence[Plan], policy: Policy, baseline: str, anchors: Sequence[str] = ()
) -> str:
    """Why the policy cannot pass on what these plans evaluate; "" where it can, or may.

    It is asked on every run, so it has to cost next to nothing: from `FEW` clusters on, with which
    only a limit within 1 % of perfection is out of reach, nobody waits for the statistics to be
    imported.
    """
    coming = foresee(plans, policy, baseline, anchors)
    if not policy.rules or len(clusters_of(coming.cases)) >= FEW:
        return ""
    return barred(reaches(coming, most_cases=MOST_TOLD), coming)
