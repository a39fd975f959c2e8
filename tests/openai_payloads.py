"""What `openai_server` reads in requests and writes in replies, per the description of the API."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

Body = dict[str, Any]

# What requests say


def texts_of(part: Any) -> str:
    """All text in a message, a content part, or a list of them."""
    if isinstance(part, str):
        return part
    if isinstance(part, list):
        return "\n".join(map(texts_of, part))
    return texts_of(part.get("content") or part.get("text") or part.get("output") or "")


def schema_of(body: Body) -> dict[str, Any]:
    """The JSON schema that the reply must keep; empty when there is none."""
    chat = (body.get("response_format") or {}).get("json_schema", {})
    responses = (body.get("text") or {}).get("format", {})
    schema = chat.get("schema") or responses.get("schema") or {}
    return dict(schema)


def asks_for_judgement(body: Body) -> bool:
    if "rationale" in schema_of(body).get("properties", {}):
        return True
    asked = texts_of(body.get("messages") or body.get("input") or "")
    return '"rationale"' in asked and '"result"' in asked


def error_body(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "test", "param": None, "code": None}}


def words_of(text: str) -> list[str]:
    """The pieces of a text; together they are the text. One piece is a token here."""
    return re.findall(r"\s*\S+|\s+$", text)


def cut(text: str, limit: int | None) -> tuple[str, bool]:
    """At most `limit` tokens of a text, and whether that is all of it."""
    words = words_of(text)
    return ("".join(words[:limit]), False) if limit and len(words) > limit else (text, True)


# Chat Completions


def completion(said: Any, body: Body, index: int) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
    message |= {"content": said} if isinstance(said, str) else said
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    message["content"], whole = cut(message["content"] or "", limit)
    finish = "tool_calls" if message.get("tool_calls") else "stop" if whole else "length"
    n_in, n_out = len(words_of(texts_of(body["messages"]))), len(words_of(message["content"]))
    return {
        "id": f"chatcmpl-{index}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": body["model"],
        "choices": [{"index": 0, "message": message, "finish_reason": finish, "logprobs": None}],
        "usage": {
            "prompt_tokens": n_in,
            "completion_tokens": n_out,
            "total_tokens": n_in + n_out,
        },
    }


def completion_events(reply: dict[str, Any], body: Body) -> Iterator[str]:
    [choice] = reply["choices"]
    message = choice["message"]
    calls = [{"index": i, **call} for i, call in enumerate(message.get("tool_calls") or ())]
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"content": word} for word in words_of(message["content"])]
    deltas += [{"tool_calls": [call]} for call in calls]
    chunk = {key: reply[key] for key in ("id", "created", "model")}
    chunk["object"] = "chat.completion.chunk"
    for delta, finish in [*((delta, None) for delta in deltas), ({}, choice["finish_reason"])]:
        choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
        yield f"data: {json.dumps({**chunk, 'choices': choices})}\n\n"
    if (body.get("stream_options") or {}).get("include_usage"):
        yield f"data: {json.dumps({**chunk, 'choices': [], 'usage': reply['usage']})}\n\n"
    yield "data: [DONE]\n\n"


# Responses


def response(said: Any, body: Body, index: int) -> dict[str, Any]:
    message: Any = {"content": said} if isinstance(said, str) else said
    text, whole = "", True
    if isinstance(message, list):
        output = message
    else:
        text, whole = cut(message.get("content") or "", body.get("max_output_tokens"))
        output = [text_item(text, index)] if text else []
        output += [call_item(call) for call in message.get("tool_calls") or ()]
    asked = texts_of([body.get("instructions") or "", body["input"]])
    n_in, n_out = len(words_of(asked)), len(words_of(text))
    return {
        "id": f"resp_{index}",
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed" if whole else "incomplete",
        "incomplete_details": None if whole else {"reason": "max_output_tokens"},
        "error": None,
        "model": body["model"],
        "output": output,
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "usage": {
            "input_tokens": n_in,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": n_out,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": n_in + n_out,
        },
    }


def text_item(text: str, index: int) -> dict[str, Any]:
    return {
        "id": f"msg_{index}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": []}],
    }


def call_item(call: Mapping[str, Any]) -> dict[str, Any]:
    """A tool call in the form of Chat Completions as an item of Responses."""
    return {
        "id": f"fc_{call['id']}",
        "type": "function_call",
        "call_id": call["id"],
        "status": "completed",
        **call["function"],
    }


def response_events(reply: dict[str, Any], _body: Body) -> Iterator[str]:
    numbers = count()

    def event(kind: str, **fields: Any) -> str:
        data = {"type": kind, "sequence_number": next(numbers), **fields}
        return f"event: {kind}\ndata: {json.dumps(data)}\n\n"

    begun = {**reply, "status": "in_progress", "output": [], "usage": None}
    yield event("response.created", response=begun)
    yield event("response.in_progress", response=begun)
    for place, item in enumerate(reply["output"]):
        yield event("response.output_item.added", output_index=place, item=emptied(item))
        if item["type"] == "message":
            at = {"item_id": item["id"], "output_index": place, "content_index": 0}
            [part] = item["content"]
            yield event("response.content_part.added", **at, part={**part, "text": ""})
            for word in words_of(part["text"]):
                yield event("response.output_text.delta", **at, delta=word, logprobs=[])
            yield event("response.output_text.done", **at, text=part["text"], logprobs=[])
            yield event("response.content_part.done", **at, part=part)
        elif item["type"] == "function_call":
            at = {"item_id": item["id"], "output_index": place}
            arguments = item["arguments"]
            yield event("response.function_call_arguments.delta", **at, delta=arguments)
            yield event(
                "response.function_call_arguments.done",
                **at,
                arguments=arguments,
                name=item["name"],
            )
        yield event("response.output_item.done", output_index=place, item=item)
    yield event(f"response.{reply['status']}", response=reply)


def emptied(item: dict[str, Any]) -> dict[str, Any]:
    """An output item as it stands before its content has come."""
    blank: dict[str, Any] = {"content": []} if item["type"] == "message" else {"arguments": ""}
    return {**item, "status": "in_progress", **blank}


# What is answered when a test does not care


def repeat_question(messages: Any, _body: Body) -> str:
    """The default answer: what was asked last."""
    last = messages if isinstance(messages, str) else texts_of(messages[-1])
    return f"You asked: {last}"


def approve(body: Body) -> dict[str, Any]:
    """The default judgement: the best that the schema of the request allows, but of the known-bad
    answer, by which judges are tried, the worst."""
    properties = schema_of(body).get("properties", {"rationale": {}, "result": {}})
    value_of = worst_of if shows_known_bad(body) else best_of
    return {name: value_of(name, rule) for name, rule in properties.items()}


def shows_known_bad(body: Body) -> bool:
    asked = texts_of(body.get("messages") or body.get("input") or "")
    return "nineteen trombones" in asked


def worst_of(name: str, rule: Mapping[str, Any]) -> Any:
    """The value of one property that says: all is bad."""
    match rule.get("type", "string"):
        case "integer" | "number":
            return rule.get("minimum", 0)
        case "boolean":
            return False
    return "no" if name != "rationale" else "It does nothing that was asked."


def best_of(name: str, rule: Mapping[str, Any]) -> Any:
    """The value of one property that says: all is well."""
    if name == "rationale":
        return "It does what was asked."
    if "enum" in rule:
        return "yes" if "yes" in rule["enum"] else rule["enum"][-1]
    match rule.get("type", "string"):
        case "integer" | "number":
            return rule.get("maximum", 1)
        case "boolean":
            return True
    return "yes"
