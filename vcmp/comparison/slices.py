"""A metric by tag: where the losses are."""

from collections.abc import Mapping
from statistics import fmean

from vcmp.statistics import Evidence, p_value
from vcmp.statistics.slices import difference_by_tag
from vcmp.types import Interval, Paired, Slice

FALSE_DISCOVERIES = 0.10
CONFIDENCE = 0.95


def slice_by_tag(paired: Paired) -> tuple[Slice, ...]:
    """The metric over the cases of each tag, most cases first.

    Losses are marked by the procedure of Benjamini and Hochberg (1995, "Controlling the false
    discovery rate", Journal of the Royal Statistical Society B 57): of those marked, 10 % are
    expected to be none.
    """
    evidence = difference_by_tag(paired)
    lost = _discoveries({tag: p_value(each, 0.0, "high") for tag, each in evidence.items()})
    slices = [_slice(paired, tag, each, tag in lost) for tag, each in evidence.items()]
    return tuple(sorted(slices, key=lambda each: (-each.n, each.tag)))


def _discoveries(p_values: Mapping[str, float]) -> set[str]:
    """The tags up to the last whose p-value is below its share of the false discovery rate."""
    ordered = sorted(p_values, key=lambda tag: p_values[tag])
    shares = [
        place
        for place, tag in enumerate(ordered, start=1)
        if p_values[tag] <= FALSE_DISCOVERIES * place / len(ordered)
    ]
    return set(ordered[: max(shares, default=0)])


def _slice(paired: Paired, tag: str, evidence: Evidence, lost: bool) -> Slice:
    own = [place for place, tags in enumerate(paired.tags) if tag in tags]
    low, high = evidence.bounds((1 - CONFIDENCE) / 2)
    return Slice(
        tag=tag,
        baseline=fmean(paired.baseline[place] for place in own),
        candidate=fmean(paired.candidate[place] for place in own),
        interval=Interval(low=low, high=high, confidence=CONFIDENCE),
        n=len(own),
        lost=lost,
    )
