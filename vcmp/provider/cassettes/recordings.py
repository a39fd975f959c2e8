"""A recorded reply: what is kept of it, and whether it is worth keeping."""

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vcmp.calls import Slot

JSON = "application/json"
EVENTS = "text/event-stream"
_BINARY = ("audio/", "application/octet-stream")
_LAST_EVENTS = ("response.completed", "response.incomplete")
_PASSING = {"id", "created", "obfuscation"}
"""What differs in every reply of Chat Completions and says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedReply:
    """One reply, and the call that it answered."""

    slot: Slot | None = None
    """What the call was made for; None when nobody said."""
    number: int = 0
    """Which of the slot's calls with one body it was."""
    api: str = ""
    """Base URL of the API that answered, without its port or a password."""
    kind: str = JSON
    """Content type, without its parameters."""
    content: Any = None
    """A JSON value; of a stream its events, of bytes their base64, as text."""

    @property
    def place(self) -> tuple[Any, ...]:
        """By which the replies to one request are in order: who said nothing first."""
        slot = self.slot
        if slot is None:
            return (0, self.number)
        return (1, slot.variant, slot.case_id, slot.repeat, slot.scorer, self.number)

    @property
    def body(self) -> bytes:
        """As it is sent."""
        if self.kind == JSON:
            return json.dumps(self.content).encode()
        if self.kind == EVENTS:
            return "\n\n".join(self.content).encode()
        return base64.b64decode(self.content)

    @property
    def model(self) -> str:
        """The model that says it replied; "" when none does."""
        replies = [self.content] if self.kind == JSON else []
        if self.kind == EVENTS:
            replies = [_parsed(data) for data in _data(self.content)]
        for reply in replies:
            if isinstance(reply, Mapping):
                inner = reply.get("response")
                said = reply.get("model") or (isinstance(inner, Mapping) and inner.get("model"))
                if isinstance(said, str) and said:
                    return said
        return ""

    def says_the_same(self, other: "RecordedReply") -> bool:
        """Whether nothing but ids and times differs, so that to keep either is as good."""
        return (self.api, self.kind) == (other.api, other.kind) and (
            self.content == other.content or _lasting(self) == _lasting(other)
        )

    def to_json(self) -> dict[str, Any]:
        """As it stands in a file."""
        return asdict(self)


def from_json(document: Mapping[str, Any]) -> RecordedReply:
    """What `to_json` gave.

    Raises:
        TypeError: It is something else.
    """
    slot = document["slot"]
    return RecordedReply(**{**document, "slot": Slot(**slot) if slot else None})


def read_content(kind: str, body: bytes) -> Any:
    """The content of a whole reply with status 200; None when it is not worth keeping.

    Worth keeping is what a model said. An error with that status, an answer without choices, a page
    of some proxy and a stream that broke off would only fail again, however often they are played.
    """
    if kind == JSON:
        reply = _parsed(body)
        return reply if isinstance(reply, Mapping) and not _failed(reply) else None
    if kind == EVENTS:
        events = body.decode("utf-8", "replace").split("\n\n")
        return events if _is_whole(events) else None
    return base64.b64encode(body).decode() if kind.startswith(_BINARY) else None


def _failed(reply: Mapping[str, Any]) -> bool:
    return bool(reply.get("error")) or ("choices" in reply and not reply["choices"])


def _is_whole(events: list[str]) -> bool:
    whole = False
    for data in _data(events):
        if data == "[DONE]":
            return True
        said = _parsed(data)
        if not isinstance(said, Mapping):
            return False
        kind = said.get("type")
        if said.get("error") or kind in ("error", "response.failed"):
            return False
        choices = said.get("choices") or [{}]
        whole = whole or kind in _LAST_EVENTS or bool(choices[0].get("finish_reason"))
    return whole


def _data(events: list[str]) -> Iterator[str]:
    for event in events:
        for line in event.splitlines():
            if line.startswith("data:"):
                yield line.removeprefix("data:").strip()


def _lasting(recording: RecordedReply) -> Any:
    if recording.kind == JSON:
        return _without_passing(recording.content)
    if recording.kind == EVENTS:
        return [_without_passing(_parsed(data)) for data in _data(recording.content)]
    return recording.content


def _without_passing(reply: Any) -> Any:
    """The ids of other APIs are asked for again, so they are no small matter there."""
    if not isinstance(reply, Mapping) or "choices" not in reply:
        return reply
    return {key: value for key, value in reply.items() if key not in _PASSING}


def _parsed(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
