"""The cases of a rehearsal, and more like them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from vcmp.gates import Policy
from vcmp.rehearsal.rules import leaves
from vcmp.types import Case


def plain(cases: Iterable[Case], policy: Policy) -> tuple[Case, ...]:
    """The cases as a rehearsal needs them: with tags only where a rule of the policy looks at them,
    for every tag is a comparison of its own."""
    by_tag = any(getattr(leaf, "by", None) for leaf in leaves(policy.rules))
    return tuple(
        Case(id=case.id, inputs={}, cluster=case.cluster, tags=case.tags if by_tag else ())
        for case in cases
    )


def clusters_of(cases: Iterable[Case]) -> list[list[Case]]:
    """The cases by cluster, in the order in which clusters begin; a case without one is its own."""
    found: dict[str, list[Case]] = {}
    for case in cases:
        found.setdefault(f"c {case.cluster}" if case.cluster else f"i {case.id}", []).append(case)
    return list(found.values())


def grown(cases: Sequence[Case], n_clusters: int) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """As many clusters as wanted, like these: one after the other, and again from the first.

    Returns:
        The cases, and the id of the case that each is like.
    """
    clusters = clusters_of(cases)
    made: list[Case] = []
    like: list[str] = []
    for number in range(n_clusters):
        lap, place = divmod(number, len(clusters))
        for case in clusters[place]:
            like.append(case.id)
            made.append(case if not lap else _copy(case, lap))
    return tuple(made), tuple(like)


def _copy(case: Case, lap: int) -> Case:
    cluster = f"{case.cluster}~{lap}" if case.cluster else ""
    return replace(case, id=f"{case.id}~{lap}", cluster=cluster)
