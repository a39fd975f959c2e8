"""Planned looks: a decision as soon as the cases so far allow one, at a stricter level.

Look k of K sees the first k/K of the cases, in an order that was drawn before anything was seen.
A pass and a failure have a level of their own at each look, and each spends alpha as the square of
the share of the cases (Lan and DeMets, 1983, "Discrete sequential boundaries for clinical trials",
Biometrika 70; Kim and DeMets, 1987, "Design and analysis of group sequential tests based on the
type I error spending rate function", Biometrika 74).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vcmp.gates.policy import Policy
from vcmp.gates.verdicts import decide_all
from vcmp.types import Comparison, Verdict

Candidate = Sequence[Comparison]
"""A candidate's comparison with the baseline, then those with further baselines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A candidate's verdict, and what it was decided on."""

    verdict: Verdict
    candidate: Candidate


def look_by_look(
    compare_at: Callable[[int], Sequence[Candidate | None]], policy: Policy, first: int = 1
) -> list[Looked]:
    """Judge candidates at each planned look until all are decided; without looks, at once.

    A candidate keeps the verdict of the first look that passed or failed it.

    Args:
        compare_at: The candidates at a look; None for one whose cases are not evaluated so far.
        first: The look to begin with: the one at which all is seen that was known before.

    Returns:
        One for each candidate, the undecided ones as of the last look of theirs; none where one has
        not even the first look's cases.
    """
    found: dict[int, Looked] = {}
    n_candidates = 0
    for look in range(first, policy.looks + 1):
        candidates = compare_at(look)
        n_candidates = len(candidates)
        decided = {n: each.verdict for n, each in found.items() if is_decided(each.verdict)}
        seen = {n: each for n, each in enumerate(candidates) if each and n not in decided}
        if not seen:
            break
        stage = policy.at(look) if policy.looks > 1 else policy
        others = [each.verdict for n, each in found.items() if n not in seen]
        verdicts = decide_all(list(seen.values()), stage, others)
        for (n, candidate), verdict in zip(seen.items(), verdicts, strict=True):
            found[n] = Looked(verdict=verdict, candidate=candidate)
    return [found[n] for n in range(n_candidates)] if len(found) == n_candidates else []


def is_decided(verdict: Verdict) -> bool:
    """Whether more cases would change nothing."""
    return verdict.outcome in ("pass", "fail")
