"""Replies in the shapes of the OpenAI API, whole and streamed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vcmp.provider.tokens import split_tokens

MODEL = "vcmp-scripted"
"""What every reply says answered, whatever model was asked for."""
NO_RECORDING = "no_recording"
"""Code of the error that says that a reply was to be replayed and is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered: a text, cut to the tokens allowed, or a tool to call."""

    id: str
    created_s: int
    text: str = ""
    cut: bool = False
    tool: Mapping[str, str] = field(default_factory=dict)
    """`name` and `arguments` (JSON text) of the function to call; empty for a text."""
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def finish(self) -> str:
        """Why it ends, in the words of Chat Completions."""
        return "tool_calls" if self.tool else "length" if self.cut else "stop"


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
        "content": None if reply.tool else reply.text,
        "refusal": None,
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
    deltas += [{"content": token} for token in split_tokens(reply.text)]
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
        "model": MODEL,
    }


def _tool_call(reply: Reply) -> dict[str, Any]:
    return {"id": f"call_{reply.id}", "type": "function", "function": dict(reply.tool)}


def response_body(reply: Reply, done: bool = True) -> dict[str, Any]:
    """A `response`; as it stands before the first token unless `done`."""
    status = ("incomplete" if reply.cut else "completed") if done else "in_progress"
    return {
        "id": f"resp_{reply.id}",
        "object": "response",
        "created_at": reply.created_s,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if done and reply.cut else None,
        "instructions": None,
        "metadata": {},
        "model": MODEL,
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
    part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
    content = [] if status == "in_progress" else [part]
    return {
        "id": f"msg_{reply.id}",
        "type": "message",
        "role": "assistant",
        "status": status,
        "content": content,
    }


def response_events(reply: Reply) -> list[dict[str, Any]]:
    """The events of a streamed `response`, in order."""
    final = response_body(reply)
    item = {"item_id": f"msg_{reply.id}", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    whole = {**part, "text": reply.text}
    pieces = split_tokens(reply.text)
    events: Sequence[dict[str, Any]] = [
        {"type": "response.created", "response": response_body(reply, done=False)},
        {"type": "response.in_progress", "response": response_body(reply, done=False)},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": _output_item(reply, "in_progress"),
        },
        {"type": "response.content_part.added", **item, "part": part},
        *(
            {"type": "response.output_text.delta", **item, "delta": piece, "logprobs": []}
            for piece in pieces
        ),
        {"type": "response.output_text.done", **item, "text": reply.text, "logprobs": []},
        {"type": "response.content_part.done", **item, "part": whole},
        {"type": "response.output_item.done", "output_index": 0, "item": final["output"][0]},
        {"type": f"response.{final['status']}", "response": final},
    ]
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def chat_stream(reply: Reply, with_usage: bool) -> bytes:
    """Server-sent events of a Chat Completions stream."""
    lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chat_chunks(reply, with_usage)]
    return "".join([*lines, "data: [DONE]\n\n"]).encode()


def response_stream(reply: Reply) -> bytes:
    """Server-sent events of a Responses stream."""
    events = response_events(reply)
    return "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events).encode()


def error_body(
    message: str, kind: str, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """An error, as the API words it."""
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}
