"""A judge against labels that people gave to the same answers, in numbers.

A score counts as yes from 0.5 on. A pairwise judge has a third answer, the tie at exactly 0.5.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from statistics import NormalDist, fmean, median

from vcmp.statistics import rate
from vcmp.types import Interval

CONFIDENCE = 0.95
ENOUGH_LABELS = 10
"""With fewer, no mean is corrected: the interval rests on the normal distribution."""
STRENGTHS = (
    (0.81, "almost perfect"),
    (0.61, "substantial"),
    (0.41, "moderate"),
    (0.21, "fair"),
    (0.0, "slight"),
    (-1.0, "poor"),
)
"""What a kappa from this value on is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """An answer, or a pair of them, as a judge and perhaps people saw it."""

    case_id: str
    value: float | None
    """The judge's score in [0, 1]; None when it gave none."""
    label: float | None = None
    """What people said, in [0, 1]; None when nobody did."""
    cluster: str = ""
    length: float = 0.0
    """Characters of the answer; of a pair, the candidate's minus the baseline's."""
    swayed: bool | None = None
    """Whether the order of a pair decided; None where it was not tried."""
    rationale: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    interval: Interval
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far a judge and people agree about the answers that both judged."""

    n: int
    agreed: int
    accuracy: Estimate | None
    """Share of the answers with the same verdict; Wilson's interval. None without any."""
    kappa: float | None
    """In [-1, 1], 0 for what chance would give; None where nobody ever said anything else."""
    too_kind: int
    """Answers that the judge put above the people's label."""
    too_strict: int
    unscored: int
    """Labelled answers that the judge gave no score."""
    length_bias: Estimate | None
    """Share of too kind verdicts among the longer answers minus that among the shorter ones."""
    swayed: float | None = None
    """Of a pairwise judge, the share of its verdicts that the order decided."""

    @property
    def strength(self) -> str:
        """The kappa in a word (Landis and Koch, 1977, "The measurement of observer agreement for
        categorical data", Biometrics 33); "" where there is none."""
        if self.kappa is None:
            return ""
        return next(word for least, word in STRENGTHS if self.kappa >= least)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """The mean score over all answers, three times."""

    judged: Estimate
    """As the judge says, over all answers; it has the judge's errors in it."""
    labelled: Estimate
    """As people say, over the labelled answers alone."""
    corrected: Estimate | None = None
    """As the judge says, less the error that the labels show."""


def agreement(seen: Sequence[Seen], *, pairwise: bool = False) -> Agreement:
    """Compare a judge with the labels.

    Args:
        seen: What the judge was asked about; what has no label says nothing here but `swayed`.
        pairwise: Whether it compared two answers.
    """
    labelled = [each for each in seen if each.label is not None]
    both = [each for each in labelled if each.value is not None]
    verdicts = [_verdict(each.value or 0.0, pairwise) for each in both]
    labels = [_verdict(each.label or 0.0, pairwise) for each in both]
    pairs = list(zip(verdicts, labels, strict=True))
    equal = [verdict == label for verdict, label in pairs]
    kind = [verdict > label for verdict, label in pairs]
    tried = [each.swayed for each in seen if each.swayed is not None]
    return Agreement(
        n=len(both),
        agreed=sum(equal),
        accuracy=_share(equal) if both else None,
        kappa=kappa(verdicts, labels),
        too_kind=sum(kind),
        too_strict=sum(verdict < label for verdict, label in pairs),
        unscored=len(labelled) - len(both),
        length_bias=_length_bias(kind, both),
        swayed=fmean(tried) if tried else None,
    )


def _verdict(value: float, pairwise: bool) -> int:
    if pairwise:
        return (value > 0.5) - (value < 0.5)
    return int(value >= 0.5)


def kappa(verdicts: Sequence[int], labels: Sequence[int]) -> float | None:
    """Agreement beyond chance: (p - e) / (1 - e), with p the share of equal verdicts and e the
    share to expect if the two had nothing to do with each other (Cohen, 1960, "A coefficient of
    agreement for nominal scales", Educational and Psychological Measurement 20).

    None where e is 1: both say the same of everything, or there is nothing.
    """
    n = len(labels)
    same = sum(a == b for a, b in zip(verdicts, labels, strict=True))
    chance = sum(verdicts.count(verdict) * labels.count(verdict) for verdict in set(labels))
    return None if chance == n * n else (n * same - chance) / (n * n - chance)


def _share(held: Sequence[bool]) -> Estimate:
    """A share with the score interval of Wilson (1927, "Probable inference, the law of succession,
    and statistical inference", Journal of the American Statistical Association 22)."""
    n, share = len(held), fmean(held)
    z2 = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) ** 2
    center = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = math.sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    # rounding must not take the share out of its interval
    low, high = max(0.0, min(share, center - half)), min(1.0, max(share, center + half))
    return Estimate(value=share, interval=Interval(low=low, high=high, confidence=CONFIDENCE), n=n)


def _mean(values: Sequence[float], seen: Sequence[Seen]) -> Estimate:
    """A mean of scores, with the interval that rules about one version use."""
    found = rate(values, [each.cluster or each.case_id for each in seen])
    low, high = found.bounds((1 - CONFIDENCE) / 2)
    interval = Interval(low=low, high=high, confidence=CONFIDENCE)
    return Estimate(value=found.estimate, interval=interval, n=len(values))


def _length_bias(kind: Sequence[bool], seen: Sequence[Seen]) -> Estimate | None:
    """A difference of two shares with the interval of Newcombe (1998, "Interval estimation for the
    difference between independent proportions", Statistics in Medicine 17, method 10).

    None where there are no longer and shorter answers.
    """
    if not seen:
        return None
    middle = median(each.length for each in seen)
    halves: dict[bool, list[int]] = {True: [], False: []}
    for place, each in enumerate(seen):
        halves[each.length > middle].append(place)
    if not (halves[True] and halves[False]):
        return None
    long, short = (_share([kind[place] for place in half]) for half in halves.values())
    return Estimate(value=long.value - short.value, interval=_newcombe(long, short), n=len(seen))


def _newcombe(first: Estimate, second: Estimate) -> Interval:
    difference = first.value - second.value
    below = math.hypot(first.value - first.interval.low, second.interval.high - second.value)
    above = math.hypot(first.interval.high - first.value, second.value - second.interval.low)
    return Interval(low=difference - below, high=difference + above, confidence=CONFIDENCE)


def can_correct() -> bool:
    """Whether the package is there that corrects means by labels."""
    return find_spec("ppi_py") is not None


def means(seen: Sequence[Seen]) -> Means | None:
    """The mean score over all answers, of which only some have a label.

    None where all have one, or none has.
    """
    scored = [each for each in seen if each.value is not None]
    both = [each for each in scored if each.label is not None]
    if not both or len(both) == len(scored):
        return None
    values = [each.value or 0.0 for each in scored]
    return Means(
        judged=_mean(values, scored),
        labelled=_mean([each.label or 0.0 for each in both], both),
        corrected=_corrected(scored) if can_correct() else None,
    )


def _corrected(scored: Sequence[Seen]) -> Estimate | None:
    """The prediction-powered mean (Angelopoulos et al., 2023, "Prediction-powered inference",
    Science 382), with the weight of the judge's scores tuned to the data (Angelopoulos, Duchi and
    Zrnic, 2023, "PPI++: Efficient prediction-powered inference").

    None with less than `ENOUGH_LABELS` labels, or where the labels or the scores do not vary: then
    there is nothing to learn an error from. Clusters are not heeded.
    """
    both = [(each.label, each.value) for each in scored if each.label is not None]
    others = [each.value for each in scored if each.label is None]
    labels, values = zip(*both, strict=True)
    if len(both) < ENOUGH_LABELS or len(set(labels)) == 1 or len({*values, *others}) == 1:
        return None
    import numpy as np

    with warnings.catch_warnings():  # the import turns all warnings of the process off
        from ppi_py import ppi_mean_ci

        arrays = (np.array(numbers, dtype=float) for numbers in (labels, values, others))
        bounds = ppi_mean_ci(*arrays, alpha=1 - CONFIDENCE)
    low, high = (float(np.squeeze(bound)) for bound in bounds)
    interval = Interval(low=max(low, 0.0), high=min(high, 1.0), confidence=CONFIDENCE)
    return Estimate(value=(low + high) / 2, interval=interval, n=len(scored))
