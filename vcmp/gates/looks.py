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


def prefix(n_cases: int, look: int, looks: int) -> int:
    """How many cases a look sees."""
    return -(-n_cases * look // looks)


def look_by_look(
    compare_at: Callable[[int], Sequence[Candidate] | None], policy: Policy
) -> list[Looked]:
    """Judge candidates at each planned look until all are decided; without looks, at once.

    A candidate keeps the verdict of the first look that passed or failed it.

    Args:
        compare_at: The candidates at a look, from 1; None where its cases are not evaluated yet.

    Returns:
        One for each candidate, the undecided ones as of the last look; none where not even the
        first look's cases are evaluated.
    """
    found: list[Looked] = []
    for look in range(1, policy.looks + 1):
        candidates = compare_at(look)
        if candidates is None:
            break
        stage = policy.at(look) if policy.looks > 1 else policy
        verdicts = decide_all(candidates, stage)
        now = [Looked(verdict=v, candidate=c) for v, c in zip(verdicts, candidates, strict=True)]
        before = found or now
        found = [a if is_decided(a.verdict) else b for a, b in zip(before, now, strict=True)]
        if all(is_decided(each.verdict) for each in found):
            break
    return found


def is_decided(verdict: Verdict) -> bool:
    """Whether more cases would change nothing."""
    return verdict.outcome in ("pass", "fail")
