"""Asking a model for a judgement and not taking anything but one for an answer."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from vcmp.judges.prompts import Message

if TYPE_CHECKING:
    from openai import AsyncOpenAI

REPLIES = 3
"""The first reply and two repairs."""

RATIONALE: Mapping[str, Any] = {"type": "string"}
YES_NO: Mapping[str, Any] = {"type": "string", "enum": ["yes", "no"]}


class JudgeError(RuntimeError):
    """The judge gave no judgement; the score is unknown, and that is not 0."""


async def ask(
    messages: Sequence[Message],
    properties: Mapping[str, Any],
    *,
    model: str,
    temperature: float | None,
) -> dict[str, Any]:
    """The model's reply: an object that has exactly `properties`.

    A reply that is not one is sent back with what is wrong with it, twice at most.

    Args:
        messages: The conversation so far.
        properties: JSON Schema of each property; all of them are required.
        model: As the provider calls it.
        temperature: None leaves it to the provider; some models take no other than their own.

    Raises:
        JudgeError: No reply was of use.
        openai.OpenAIError: The provider did not answer.
    """
    schema = {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }
    conversation, problem = list(messages), ""
    for _ in range(REPLIES):
        text, problem = await _complete(conversation, schema, model, temperature)
        if not problem:
            reply, problem = _read(text, schema)
            if reply is not None:
                return reply
        conversation += _repair(text, problem)
    raise JudgeError(f"judge gave no usable JSON in {REPLIES} replies: {problem}")


async def _complete(
    conversation: Sequence[Message],
    schema: Mapping[str, Any],
    model: str,
    temperature: float | None,
) -> tuple[str, str]:
    """What the model wrote, and why that is no reply at all ("" when it may be one)."""
    client: Any = await _client()
    options = {} if temperature is None else {"temperature": temperature}
    completion = await client.chat.completions.create(
        model=model,
        messages=list(conversation),
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "judgement", "strict": True, "schema": schema},
        },
        **options,
    )
    if not completion.choices:
        return "", "no choices"
    message = completion.choices[0].message
    if getattr(message, "refusal", None):
        return message.refusal, f"a refusal: {message.refusal}"
    return message.content or "", "" if message.content else "empty"


def _read(text: str, schema: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str]:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    try:
        reply = json.loads(text)
    except (ValueError, RecursionError) as error:
        return None, f"not JSON: {error}"
    worst = best_match(Draft202012Validator(schema).iter_errors(reply))
    return (None, f"{worst.json_path}: {worst.message}") if worst else (reply, "")


def _repair(text: str, problem: str) -> list[Message]:
    said = [{"role": "assistant", "content": text}] if text else []
    wanted = "Reply again, with nothing but the JSON object that was asked for."
    return [*said, {"role": "user", "content": f"That reply is of no use ({problem}). {wanted}"}]


_Environment = tuple[str | None, ...]
_VARIABLES = ("OPENAI_BASE_URL", "OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
_open: WeakKeyDictionary[
    asyncio.AbstractEventLoop, dict[_Environment, tuple["AsyncOpenAI", AsyncIterator[Any]]]
] = WeakKeyDictionary()


async def _client() -> "AsyncOpenAI":
    """The client of this event loop and this environment.

    One for all judges, since making one costs as much as ten calls. Its connections belong to the
    loop that opened them, and the provider sets the environment anew for each run.
    """
    clients = _open.setdefault(asyncio.get_running_loop(), {})
    environment = tuple(os.environ.get(name) for name in _VARIABLES)
    if environment not in clients:
        opened = _opened_client(clients, environment)
        clients[environment] = (await anext(opened), opened)
    return clients[environment][0]


async def _opened_client(
    clients: dict[_Environment, Any], environment: _Environment
) -> AsyncIterator["AsyncOpenAI"]:
    """A client that is closed with the loop: a loop that ends closes the generators begun in it,
    and nobody else knows when the last judge is done."""
    from openai import AsyncOpenAI

    client = AsyncOpenAI()
    try:
        yield client
    finally:
        clients.pop(environment, None)
        await client.close()
