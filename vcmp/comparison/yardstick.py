"""What two versions must share to be compared: cases, scorers, judges."""

from collections.abc import Iterable, Iterator, Mapping

from vcmp.errors import ComparisonError
from vcmp.types import Dataset, Evaluation, Plan, ScorerCard


def check_comparable(baseline: Evaluation, plan: Plan) -> None:
    """Refuse to evaluate a plan whose outcome could not be compared with the baseline.

    Raises:
        ComparisonError: As `check_yardstick` would, but before anything is paid for.
    """
    _refuse(_differences(baseline.dataset, plan.dataset, baseline.scorers, plan.cards))


def check_yardstick(baseline: Evaluation, candidate: Evaluation) -> None:
    """Refuse two evaluations that were not measured with the same yardstick.

    Raises:
        ComparisonError: Dataset, a scorer or a judge's model differs. A scorer that only one side
            has is no difference.
    """
    _refuse(_differences(baseline.dataset, candidate.dataset, baseline.scorers, candidate.scorers))


def _refuse(differences: Iterable[str]) -> None:
    text = "; ".join(differences)
    if text:
        raise ComparisonError(
            f"not comparable: {text}.\n"
            "  Evaluate both versions on the same cases, with the same scorers and judges."
        )


def _differences(
    left: Dataset,
    right: Dataset,
    before: Mapping[str, ScorerCard],
    after: Mapping[str, ScorerCard],
) -> Iterator[str]:
    if left is not right and left.digest != right.digest:
        names = repr(left.name) if left.name == right.name else f"{left.name!r}, {right.name!r}"
        yield f"dataset digest differs ({names} {_against(left.digest, right.digest)})"
    for scorer in sorted(set(before) & set(after)):
        if before[scorer].model != after[scorer].model:
            models = f"{before[scorer].model!r} against {after[scorer].model!r}"
            yield f"judge model of {scorer!r} differs ({models})"
        elif before[scorer].digest != after[scorer].digest:
            digests = _against(before[scorer].digest, after[scorer].digest)
            yield f"scorer {scorer!r} differs ({digests})"


def _against(before: str, after: str) -> str:
    return f"{before[:8]}… against {after[:8]}…"
