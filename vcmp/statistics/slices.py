"""A paired difference by tag."""

from vcmp.statistics.evidence import Evidence
from vcmp.statistics.paired import paired_difference
from vcmp.types import Paired

FEWEST = 4
"""Pairs of a tag; of fewer nothing can be said."""


def difference_by_tag(paired: Paired) -> dict[str, Evidence]:
    """The difference over the cases of each tag that has enough of them, and not all."""
    places: dict[str, list[int]] = {}
    for place, tags in enumerate(paired.tags):
        for tag in tags:
            places.setdefault(tag, []).append(place)
    return {
        tag: paired_difference(
            [paired.baseline[place] for place in own],
            [paired.candidate[place] for place in own],
            [paired.clusters[place] for place in own],
            bounded=paired.bounded,
        )
        for tag, own in sorted(places.items())
        if FEWEST <= len(own) < len(paired.case_ids)
    }
