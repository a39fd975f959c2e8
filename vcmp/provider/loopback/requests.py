"""Requests of the OpenAI API, read into what matters."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from vcmp.provider.loopback.tokens import count_tokens

TOKENS_PER_MESSAGE = 4


class RequestError(ValueError):
    """A request that the API would refuse with status 400; `param` names the field."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked, by whichever of the two APIs."""

    messages: tuple[tuple[str, str], ...]
    """Role and text; role `tool` holds what a tool returned."""
    temperature: float = 1.0
    max_tokens: int | None = None
    schema: Mapping[str, Any] | None = None
    """JSON schema of the reply; `{}` when any JSON object will do."""
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: Any = "auto"
    stream: bool = False
    stream_usage: bool = False

    @property
    def prompt(self) -> str:
        """The first system message, which sets the tone."""
        return next((text for role, text in self.messages if role in ("system", "developer")), "")

    @property
    def question(self) -> str:
        """The last user message."""
        return next((text for role, text in reversed(self.messages) if role == "user"), "")

    @property
    def tool_result(self) -> str | None:
        """What a tool returned, when that is the last message."""
        role, text = self.messages[-1]
        return text if role == "tool" else None

    @property
    def n_tokens(self) -> int:
        """Tokens of all messages."""
        return sum(count_tokens(text) + TOKENS_PER_MESSAGE for _, text in self.messages)


def read_chat(body: Mapping[str, Any]) -> Request:
    """Read a request of Chat Completions.

    Raises:
        RequestError: A field is missing or of the wrong type.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        raise RequestError("'messages' must be a list with at least one message", "messages")
    form = body.get("response_format")
    wanted = form.get("json_schema") if isinstance(form, Mapping) else None
    options = body.get("stream_options")
    return Request(
        messages=tuple(map(_message, messages)),
        max_tokens=_limit(body, "max_completion_tokens", "max_tokens"),
        schema=_schema(form, wanted),
        tools=tuple(_functions(body.get("tools"))),
        tool_choice=body.get("tool_choice", "auto"),
        stream_usage=bool(isinstance(options, Mapping) and options.get("include_usage")),
        **_common(body),
    )


def read_responses(body: Mapping[str, Any]) -> Request:
    """Read a request of the Responses API; its tools are not used.

    Raises:
        RequestError: A field is missing or of the wrong type.
    """
    given = body.get("input")
    if not given or not isinstance(given, str | list):
        raise RequestError("'input' must be a text or a list of messages", "input")
    rows = [{"role": "user", "content": given}] if isinstance(given, str) else given
    instructions = body.get("instructions")
    system = [("system", str(instructions))] if instructions else []
    text = body.get("text")
    form = text.get("format") if isinstance(text, Mapping) else None
    return Request(
        messages=(*system, *map(_message, rows)),
        max_tokens=_limit(body, "max_output_tokens"),
        schema=_schema(form, form),
        **_common(body),
    )


def _common(body: Mapping[str, Any]) -> dict[str, Any]:
    temperature = body.get("temperature")
    temperature = 1.0 if temperature is None else temperature
    if isinstance(temperature, bool) or not isinstance(temperature, int | float):
        raise RequestError(f"'temperature' is {temperature!r}, not a number", "temperature")
    if not 0 <= temperature <= 2:
        raise RequestError(f"'temperature' is {temperature}, not between 0 and 2", "temperature")
    return {"temperature": float(temperature), "stream": bool(body.get("stream"))}


def _limit(body: Mapping[str, Any], *names: str) -> int | None:
    for name in names:
        value = body.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise RequestError(f"{name!r} is {value!r}, not a whole number above 0", name)
        return value
    return None


def _schema(form: Any, wanted: Any) -> Mapping[str, Any] | None:
    kind = form.get("type") if isinstance(form, Mapping) else None
    if kind == "json_object":
        return {}
    schema = wanted.get("schema") if isinstance(wanted, Mapping) else None
    return schema if kind == "json_schema" and isinstance(schema, Mapping) else None


def _message(row: Any) -> tuple[str, str]:
    if not isinstance(row, Mapping):
        raise RequestError("each message must be an object", "messages")
    content = row.get("content")
    if isinstance(content, list):
        parts = (part.get("text") for part in content if isinstance(part, Mapping))
        content = "\n".join(part for part in parts if isinstance(part, str))
    return str(row.get("role", "user")), content if isinstance(content, str) else ""


def _functions(tools: Any) -> Iterator[Mapping[str, Any]]:
    for tool in tools if isinstance(tools, list) else ():
        function = tool.get("function") if isinstance(tool, Mapping) else None
        if isinstance(function, Mapping) and isinstance(function.get("name"), str):
            yield function
