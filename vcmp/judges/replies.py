"""Asking a model for a judgement and not taking anything but one for an answer."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from vcmp.judges.prompts import Message, sendable

if TYPE_CHECKING:
    from openai import AsyncOpenAI

REPLIES = 3
"""The first reply and two repairs."""
SHOWN = 200
"""Characters of a bad reply that an error shows."""
SENT_BACK = 2_000
"""Characters of a bad reply that a repair shows the model again."""

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

    A reply that is not one is sent back with what is wrong with it, twice at most. A refusal, and
    a reply that was filtered or cut, is not: the same would come again.

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
    conversation, text, problem = list(messages), "", ""
    for _ in range(REPLIES):
        text = await _complete(conversation, schema, model, temperature)
        reply, problem = _read(text, schema)
        if reply is not None:
            return reply
        conversation += _repair(text, problem)
    said = f"; the last was {text[:SHOWN]!r}" if text else ""
    raise JudgeError(f"judge gave no usable JSON in {REPLIES} replies: {problem}{said}")


async def _complete(
    conversation: Sequence[Message],
    schema: Mapping[str, Any],
    model: str,
    temperature: float | None,
) -> str:
    """What the model wrote; "" when there is nothing in its reply.

    Raises:
        JudgeError: It would not, or could not, say it to the end.
    """
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
        return ""
    choice = completion.choices[0]
    text = choice.message.content or ""
    if refusal := getattr(choice.message, "refusal", None):
        raise JudgeError(f"judge refused: {refusal[:SHOWN]!r}")
    if choice.finish_reason == "content_filter":
        raise JudgeError(f"judge's reply was withheld by a content filter, after {text[:SHOWN]!r}")
    if choice.finish_reason == "length":
        raise JudgeError(f"judge's reply was cut at the token limit, after {text[:SHOWN]!r}")
    return text


def _read(text: str, schema: Mapping[str, Any]) -> tuple[dict[str, Any] | None, str]:
    """The judgement in a reply, or what is wrong with the reply, without a word of it.

    The reply may repeat what an agent wrote, and what is wrong is said to the judge in our name.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    if not text:
        return None, "empty"
    try:
        reply = json.loads(text, object_pairs_hook=_unique)
    except _TwiceError:
        return None, "a property stands there twice"
    except json.JSONDecodeError as error:
        return None, f"not JSON: {error}"
    except (ValueError, RecursionError):
        return None, "not JSON: too deep, or a number too long"
    worst = best_match(Draft202012Validator(schema).iter_errors(reply))
    if worst is None:
        return reply, ""
    broken = json.dumps({worst.validator: worst.validator_value})
    return None, f"{worst.json_path} does not keep {broken}"


class _TwiceError(ValueError):
    """Of two values for one property, nobody knows which is meant."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        raise _TwiceError
    return dict(pairs)


def _repair(text: str, problem: str) -> list[Message]:
    said = [{"role": "assistant", "content": sendable(text[:SENT_BACK])}] if text else []
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
