"""Who answered: whether two versions that asked for the same model were answered by the same one,
and whether a version that was replayed was answered by recordings."""

from collections.abc import Iterable, Iterator, Sequence

from vcmp.types import Evaluation


def differing_models(baseline: Evaluation, candidates: Sequence[Evaluation]) -> tuple[str, ...]:
    """A note for each model that answered the baseline under another name, or with another
    fingerprint, than a candidate: what differs then may be the provider's doing.

    Fingerprints change within a run, too, so they differ only where none is shared.
    """
    return tuple(note for each in candidates for note in _notes(baseline, each))


def unrecorded(evaluations: Iterable[Evaluation]) -> tuple[str, ...]:
    """A note for each version that was to be answered by recordings, and of which that is not known
    of every answer: what another process, or another library, sends is not seen."""
    return tuple(filter(None, map(_unrecorded, evaluations)))


def _unrecorded(evaluation: Evaluation) -> str:
    if evaluation.answerer.name != "replay":
        return ""
    answers = [result for result in evaluation.results if not result.error]
    n = sum(all(call.source != "replayed" for call in answer.calls) for answer in answers)
    if not n:
        return ""
    return (
        f"{n} of {len(answers)} answers of {evaluation.version.variant.name} hold no recorded call:"
        " the agent asked no model, or where vcmp does not see it. OPENAI_BASE_URL leads to the"
        " recordings there, too; an address of the agent's own does not, and was asked live"
    )


def _notes(baseline: Evaluation, candidate: Evaluation) -> Iterator[str]:
    sides = (baseline, candidate)
    for model in sorted(_asked(baseline) & _asked(candidate)):
        names = [_answered(side, model) for side in sides]
        if all(names) and names[0] != names[1]:
            yield _note(model, "answered by", sides, names)
        prints = [_fingerprints(side, model) for side in sides]
        if all(prints) and not prints[0] & prints[1]:
            yield _note(model, "answered with fingerprint", sides, prints)


def _note(model: str, what: str, sides: Sequence[Evaluation], found: Sequence[set[str]]) -> str:
    told = [
        f"{', '.join(sorted(names))} for {side.version.variant.name}"
        for side, names in zip(sides, found, strict=True)
    ]
    return f"{model} was {what} {', and '.join(told)}: what differs may be the provider's doing"


def _asked(evaluation: Evaluation) -> set[str]:
    return {c.requested_model for r in evaluation.results for c in r.calls if c.requested_model}


def _answered(evaluation: Evaluation, model: str) -> set[str]:
    calls = (call for result in evaluation.results for call in result.calls)
    return {call.model for call in calls if call.requested_model == model and call.model}


def _fingerprints(evaluation: Evaluation, model: str) -> set[str]:
    calls = (call for result in evaluation.results for call in result.calls)
    return {c.fingerprint for c in calls if c.requested_model == model and c.fingerprint}
