"""Replies in the shapes of the OpenAI API, whole and streamed."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vcmp.provider.loopback.tokens import split_tokens

MODEL = "vcmp-scripted"
"""What the scripted provider says answered, whatever model was asked for."""
MAX_PIECES = 4096
"""A stream has at most this many pieces: those of a long text are longer than a token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered: a text, cut to the tokens allowed, a refusal, or a tool to call."""

    id: str
    created_s: int
    text: str = ""
    cut: bool = False
    filtered: bool = False
    """Ended by a content filter."""
    refusal: str = ""
    """Stands in the place of the text."""
    model: str = MODEL
    fingerprint: str = ""
    """The `system_fingerprint`, which Chat Completions alone has; empty for none."""
    tool: Mapping[str, str] = field(default_factory=dict)
    """`name` and `arguments` (JSON text) of the function to call; empty for a text."""
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def finish(self) -> str:
        """Why it ends, in the words of Chat Completions."""
        if self.tool:
            return "tool_calls"
        return "content_filter" if self.filtered else "length" if self.cut else "stop"


def cut_text(text: str, max_tokens: int | None) -> tuple[str, bool]:
    """`text` as far as `max_tokens` reach, and whether that cut it."""
    tokens = split_tokens(text)
    if max_tokens is None or len(tokens) <= max_tokens:
        return text, False
    return "".join(tokens[:max_tokens]), True


def chat_body(reply: Reply) -> dict[str, Any]:
    """A `chat.completion`."""
    message: dict[str, Any] = {
        "role": "assistant",
        "content": None if reply.tool or reply.refusal else reply.text,
        "refusal": reply.refusal or None,
    }
    if reply.tool:
        message["tool_calls"] = [_tool_call(reply)]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish}
    return {**_chat_head(reply, "chat.completion"), "choices": [choice], "usage": chat_usage(reply)}


def chat_usage(reply: Reply) -> dict[str, Any]:
    """The `usage` of Chat Completions."""
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def chat_chunks(reply: Reply, with_usage: bool) -> list[dict[str, Any]]:
    """The `chat.completion.chunk`s of a stream."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if reply.tool:
        deltas.append({"tool_calls": [{"index": 0, **_tool_call(reply)}]})
    deltas += [{"content": piece} for piece in _pieces(reply.text) if not reply.refusal]
    deltas += [{"refusal": piece} for piece in _pieces(reply.refusal)]
    head = _chat_head(reply, "chat.completion.chunk")
    unused = {"usage": None} if with_usage else {}
    chunks = [
        {**head, **unused, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        for delta, finish in [*((delta, None) for delta in deltas), ({}, reply.finish)]
    ]
    return [*chunks, {**head, "choices": [], "usage": chat_usage(reply)}] if with_usage else chunks


def _chat_head(reply: Reply, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{reply.id}",
        "object": kind,
        "created": reply.created_s,
        "model": reply.model,
        **({"system_fingerprint": reply.fingerprint} if reply.fingerprint else {}),
    }


def _tool_call(reply: Reply) -> dict[str, Any]:
    return {"id": f"call_{reply.id}", "type": "function", "function": dict(reply.tool)}


def response_body(reply: Reply, done: bool = True) -> dict[str, Any]:
    """A `response`; as it stands before the first token unless `done`."""
    reason = "content_filter" if reply.filtered else "max_output_tokens" if reply.cut else ""
    status = ("incomplete" if reason else "completed") if done else "in_progress"
    return {
        "id": f"resp_{reply.id}",
        "object": "response",
        "created_at": reply.created_s,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": reason} if done and reason else None,
        "instructions": None,
        "metadata": {},
        "model": reply.model,
        "output": [_output_item(reply, status)] if done else [],
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": _response_usage(reply) if done else None,
    }


def _response_usage(reply: Reply) -> dict[str, Any]:
    return {
        "input_tokens": reply.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": reply.input_tokens + reply.output_tokens,
    }


def _output_item(reply: Reply, status: str) -> dict[str, Any]:
    return {
        "id": f"msg_{reply.id}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": [] if status == "in_progress" else [_part(reply)],
    }


def _part(reply: Reply) -> dict[str, Any]:
    if reply.refusal:
        return {"type": "refusal", "refusal": reply.refusal}
    return {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}


def response_events(reply: Reply) -> list[dict[str, Any]]:
    """The events of a streamed `response`, in order."""
    final, part = response_body(reply), _part(reply)
    key = "refusal" if reply.refusal else "text"
    kind = f"response.{part['type']}"
    item = {"item_id": f"msg_{reply.id}", "output_index": 0, "content_index": 0}
    unused: dict[str, Any] = {} if reply.refusal else {"logprobs": []}
    events: Sequence[dict[str, Any]] = [
        {"type": "response.created", "response": response_body(reply, done=False)},
        {"type": "response.in_progress", "response": response_body(reply, done=False)},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": _output_item(reply, "in_progress"),
        },
        {"type": "response.content_part.added", **item, "part": {**part, key: ""}},
        *(
            {"type": f"{kind}.delta", **item, "delta": piece, **unused}
            for piece in _pieces(part[key])
        ),
        {"type": f"{kind}.done", **item, key: part[key], **unused},
        {"type": "response.content_part.done", **item, "part": part},
        {"type": "response.output_item.done", "output_index": 0, "item": final["output"][0]},
        {"type": f"response.{final['status']}", "response": final},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _pieces(text: str) -> list[str]:
    """What a stream sends at a time; joined they are `text`."""
    if len(text) > 4 * MAX_PIECES:
        size = -(-len(text) // MAX_PIECES)
        return [text[start : start + size] for start in range(0, len(text), size)]
    tokens = split_tokens(text)
    space = text[sum(map(len, tokens)) :]
    return [*tokens, space] if space else tokens


def chat_stream(reply: Reply, with_usage: bool) -> bytes:
    """A whole Chat Completions stream."""
    return b"".join(chat_lines(chat_chunks(reply, with_usage)))


def response_stream(reply: Reply) -> bytes:
    """A whole Responses stream."""
    return b"".join(response_lines(response_events(reply)))


def chat_lines(chunks: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """Server-sent events of a Chat Completions stream."""
    return [*(f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks), b"data: [DONE]\n\n"]


def response_lines(events: Iterable[Mapping[str, Any]]) -> list[bytes]:
    """Server-sent events of a Responses stream."""
    return [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events]


def error_body(
    message: str, kind: str, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """An error, as the API words it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
