"""A support agent with a tool: the model asks for an order, the agent looks it up, the model
answers."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from openai import AsyncOpenAI

if TYPE_CHECKING:
    from openai.types.chat import (
        ChatCompletionMessage,
        ChatCompletionMessageParam,
        ChatCompletionToolUnionParam,
    )

ORDERS: Mapping[str, Mapping[str, str]] = {
    "10482": {"status": "in transit", "carrier": "ParcelLine", "expected_delivery": "Friday"},
    "10517": {"status": "packed", "carrier": "ParcelLine", "expected_delivery": "Monday"},
    "10533": {"status": "delivered", "carrier": "Northway", "delivered_on": "Tuesday"},
    "10561": {"status": "delayed", "carrier": "Northway", "expected_delivery": "next Wednesday"},
    "10590": {"status": "returned", "carrier": "Northway", "refund": "issued"},
}

LOOK_UP_ORDER: "ChatCompletionToolUnionParam" = {
    "type": "function",
    "function": {
        "name": "look_up_order",
        "description": "Status, carrier and dates of an order.",
        "parameters": {
            "type": "object",
            "properties": {"order_number": {"type": "string", "description": "Digits only"}},
            "required": ["order_number"],
            "additionalProperties": False,
        },
    },
}


def look_up_order(order_number: object) -> Mapping[str, str]:
    """The order, or an `error` that the model can pass on."""
    number = str(order_number).strip().lstrip("#")
    order = ORDERS.get(number)
    return {"order": number, **order} if order else {"error": f"there is no order {number!r}"}


TOOLS: Mapping[str, Callable[..., Mapping[str, str]]] = {"look_up_order": look_up_order}


class OrdersAgent:
    """Answers in at most `max_turns` calls; in the last one it may not ask for a tool."""

    def __init__(
        self,
        prompt: str,
        model: str = "gpt-4o-mini",
        temperature: float = 0.3,
        max_tokens: int = 100,
        max_turns: int = 3,
    ) -> None:
        self.prompt = prompt
        self.model = model
        self.temperature = temperature
        self.max_tokens = max_tokens
        self.max_turns = max_turns
        self.client = AsyncOpenAI()

    async def __call__(self, question: str) -> str:
        """Answer one question."""
        messages: list[ChatCompletionMessageParam] = [
            {"role": "system", "content": self.prompt},
            {"role": "user", "content": question},
        ]
        for turns_left in reversed(range(self.max_turns)):
            message = await self._ask(messages, tools=turns_left > 0)
            if not message.tool_calls:
                return message.content or ""
            messages += _with_results(message)
        raise RuntimeError(f"no answer after {self.max_turns} turns")

    async def _ask(
        self, messages: "list[ChatCompletionMessageParam]", tools: bool
    ) -> "ChatCompletionMessage":
        completion = await self.client.chat.completions.create(
            model=self.model,
            messages=messages,
            tools=[LOOK_UP_ORDER],
            tool_choice="auto" if tools else "none",
            temperature=self.temperature,
            max_tokens=self.max_tokens,
        )
        return completion.choices[0].message


def _with_results(message: "ChatCompletionMessage") -> "list[ChatCompletionMessageParam]":
    """The model's message, and for each tool it asked for what that tool gave."""
    asked: Any = message.model_dump(exclude_none=True)
    results: list[ChatCompletionMessageParam] = [
        {"role": "tool", "tool_call_id": call.id, "content": json.dumps(_run(call))}
        for call in message.tool_calls or ()
    ]
    return [asked, *results]


def _run(call: Any) -> Mapping[str, str]:
    """What the tool gives; what a model gets wrong is told to it, so that it can mend it."""
    function = getattr(call, "function", None)
    tool = TOOLS.get(function.name) if function else None
    if function is None or tool is None:
        return {"error": f"there is no such tool; there is {', '.join(TOOLS)}"}
    try:
        return tool(**json.loads(function.arguments))
    except (TypeError, ValueError) as error:
        return {"error": f"the arguments do not fit: {error}"}
