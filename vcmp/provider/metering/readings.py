"""Read what a reply says about itself: the model that answered, tokens, and why it stopped.

Replies come from servers of all kinds, so every field may be absent, null or of another shape;
what cannot be read stays unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

FINISHES = {"completed": "stop", "max_output_tokens": "length"}
"""The words of the Responses API, as Chat Completions says them."""

BROKEN_OFF = "the stream broke off"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A reply, or the chunks of a streamed one, in vcmp's words."""

    response: Any = None
    model: str = ""
    finish: str = ""
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    fingerprint: str = ""


def lack_of(reply: Any) -> str:
    """Why a parsed reply is no answer, though it came with status 200; "" when it is one."""
    choices = _field(reply, "choices", ())
    kind = _field(reply, "object", "")
    said = _field(reply, "error", None)
    if kind == "response":
        return _told(reply) if _field(reply, "status", "") == "failed" else ""
    if said:
        return f"the reply is an error: {said}"
    if kind in ("chat.completion", "text_completion") or choices is None:
        return "" if isinstance(choices, list) and choices else "the reply has no choices"
    return ""


def _told(reply: Any) -> str:
    """What a response of the Responses API, or an event of its streams, says went wrong."""
    error = _field(reply, "error", None) or reply
    said = [_field(error, name, None) for name in ("code", "message")]
    words = ": ".join(str(part) for part in said if part)
    return f"the reply is an error: {words or 'it does not say which'}"


def _field(reply: Any, name: str, default: Any) -> Any:
    if isinstance(reply, Mapping):
        return reply.get(name, default)
    return getattr(reply, name, default)


def read_reply(reply: Any) -> Reading:
    """Read one whole reply of Chat Completions, Completions, Responses or Embeddings."""
    body = as_mapping(reply)
    if body is None:
        return Reading(response=reply if isinstance(reply, str) else None)
    usage = body.get("usage")
    return Reading(
        # vectors are long, and no reader of a result looks at them
        response={key: value for key, value in body.items() if not _is_vectors(key, value)},
        model=_text(body.get("model")),
        finish=_finish(body),
        fingerprint=_text(body.get("system_fingerprint")),
        **_tokens(usage if isinstance(usage, Mapping) else {}),
    )


def as_mapping(reply: Any) -> Mapping[str, Any] | None:
    """A reply of the SDK as JSON; None when it is none (text, audio)."""
    if isinstance(reply, Mapping):
        return reply
    if not hasattr(reply, "model_dump"):
        return None
    # a parsed reply carries the user's own types, which pydantic would warn about
    dumped: Mapping[str, Any] = reply.model_dump(mode="json", exclude_unset=True, warnings=False)
    return dumped


def _is_vectors(key: str, value: Any) -> bool:
    return (
        key == "data"
        and isinstance(value, list)
        and any(isinstance(item, Mapping) and "embedding" in item for item in value)
    )


def _finish(body: Mapping[str, Any]) -> str:
    details = body.get("incomplete_details")
    said = details.get("reason") if isinstance(details, Mapping) else None
    choices = body.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], Mapping):
        said = choices[0].get("finish_reason")
    finish = _text(said or body.get("status"))
    return FINISHES.get(finish, finish)


def _tokens(usage: Mapping[str, Any]) -> dict[str, Any]:
    asked = _count(usage, "prompt_tokens", "input_tokens")
    answered = _count(usage, "completion_tokens", "output_tokens")
    total = _count(usage, "total_tokens")
    if answered is None and asked is not None and total is not None:
        answered = total - asked  # embeddings answer no tokens and do not say so
    details = usage.get("prompt_tokens_details") or usage.get("input_tokens_details")
    cached = _count(details, "cached_tokens") if isinstance(details, Mapping) else None
    return {"input_tokens": asked, "output_tokens": answered, "cached_tokens": cached or 0}


def _count(usage: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = usage.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


class Gathering:
    """The chunks of a streamed reply, put together as they pass."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._refusals: list[str] = []
        self._tools: dict[int, dict[str, str]] = {}
        self._last = Reading()
        self._final: Reading | None = None
        self._has_end = False
        self._needs_end: bool | None = None
        self.failure = ""
        """What a chunk says went wrong."""

    @property
    def lack(self) -> str:
        """Why there is no whole answer, should no chunk follow; "" when there is one."""
        ended = self._has_end or self._needs_end is False
        return self.failure or ("" if ended else BROKEN_OFF)

    def end(self) -> None:
        """Take in that the server said `[DONE]`."""
        self._has_end = True

    def add(self, chunk: Any) -> None:
        """Take in the next chunk."""
        body = as_mapping(chunk) or {}
        kind, whole = _text(body.get("type")), body.get("response")
        if self._needs_end is None:
            # streams of other APIs, of speech or of images, end in ways of their own
            self._needs_end = kind.startswith("response.") or "choices" in body
        if kind == "error":
            self.failure = _told(body)
        if isinstance(whole, Mapping):  # Responses API: created, in_progress, completed, …
            if kind in ("response.completed", "response.incomplete", "response.failed"):
                self._final, self._has_end = read_reply(whole), True
            if kind == "response.failed":
                self.failure = _told(whole)
            return
        if kind == "response.output_text.delta":
            self._texts.append(_text(body.get("delta")))
        self._add_choice(body)
        seen = read_reply(body)
        self._has_end = self._has_end or bool("choices" in body and seen.finish)
        self._last = replace(
            self._last,
            model=seen.model or self._last.model,
            finish=seen.finish if "choices" in body and seen.finish else self._last.finish,
            fingerprint=seen.fingerprint or self._last.fingerprint,
            **({} if seen.input_tokens is None else _tokens(body["usage"])),
        )

    def _add_choice(self, body: Mapping[str, Any]) -> None:
        choices = body.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(choice, Mapping):
            return
        delta = choice.get("delta")
        delta = delta if isinstance(delta, Mapping) else {}
        self._texts.append(_text(delta.get("content")) or _text(choice.get("text")))
        self._refusals.append(_text(delta.get("refusal")))
        for part in delta.get("tool_calls") or ():
            tool = self._tools.setdefault(part.get("index", 0), {"name": "", "arguments": ""})
            for key, value in (part.get("function") or {}).items():
                tool[key] = tool.get(key, "") + _text(value)

    @property
    def reading(self) -> Reading:
        """What the chunks so far say."""
        if self._final is not None:
            return self._final
        response: dict[str, Any] = {"content": "".join(self._texts)}
        if any(self._refusals):
            response["refusal"] = "".join(self._refusals)
        if self._tools:
            response["tool_calls"] = list(self._tools.values())
        return replace(self._last, response=response)
