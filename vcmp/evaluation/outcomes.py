"""What came of a run: whether it is a whole answer, and if not, what it lacks."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from vcmp.calls import Call
from vcmp.evaluation.values import NothingReturnedError
from vcmp.types import RunOutcome

LACKS: dict[RunOutcome, str] = {
    "empty": "the answer is empty",
    "refusal": "the model refused to answer",
    "filtered": "the provider's filter cut the answer off",
    "truncated": "the answer was cut off at the token limit",
}
"""Why a run is a failure where `Outcomes` says that it is one."""


def outcome_of(output: Any, failure: BaseException | None, calls: Sequence[Call]) -> RunOutcome:
    """Read the outcome from what the agent gave, or raised, and from its last call."""
    last = calls[-1] if calls else Call(api="")
    if failure and not isinstance(failure, NothingReturnedError):
        late = isinstance(failure, TimeoutError) or last.failure == "timeout"
        return "timeout" if late else "error"
    if last.finish == "content_filter":
        return "filtered"
    if last.finish == "refusal" or _is_refusal(last.response):
        return "refusal"
    if failure or (isinstance(output, str) and not output.strip()):
        return "empty"
    return "truncated" if last.finish == "length" else "ok"


def _is_refusal(response: Any) -> bool:
    """Whether a reply of Chat Completions or Responses says that the model refused."""
    if not isinstance(response, Mapping):
        return False
    return any(part.get("refusal") for part in _parts(response))


def _parts(response: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield response  # a streamed reply, put together
    for choice in _mappings(response.get("choices")):
        yield from _mappings([choice.get("message")])
    for item in _mappings(response.get("output")):
        yield from _mappings(item.get("content"))


def _mappings(items: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(items, list | tuple):
        yield from (item for item in items if isinstance(item, Mapping))
