"""Call a tool as a model would: when the question holds what the tool looks up."""

import json
import re
from collections.abc import Mapping
from typing import Any

from vcmp.provider.loopback.requests import Request

NUMBER = re.compile(r"(?<![\w$.])#?([A-Z]{0,3}-?\d{4,})\b")
"""An order number: at least four digits, with up to three letters before them."""
LOOKS_UP = re.compile(r"order|number|\bid\b|_id", re.IGNORECASE)


def choose_tool(request: Request) -> dict[str, str]:
    """Name and arguments of the function to call; empty when none is."""
    if not request.tools or request.tool_choice == "none" or request.tool_result is not None:
        return {}
    if isinstance(request.tool_choice, Mapping):
        return _forced(request)
    number = NUMBER.search(request.question)
    for tool in request.tools:
        names = [name for name in _properties(tool) if LOOKS_UP.search(name)]
        if names and number:
            return _call(tool, {names[0]: number.group(1)})
    return _forced(request) if request.tool_choice == "required" else {}


def _forced(request: Request) -> dict[str, str]:
    chosen = request.tool_choice
    function = chosen.get("function", chosen) if isinstance(chosen, Mapping) else {}
    name = function.get("name", request.tools[0]["name"]) if isinstance(function, Mapping) else ""
    tool = next((tool for tool in request.tools if tool["name"] == name), request.tools[0])
    return _call(tool, fill(tool.get("parameters") or {}, request.question))


def _properties(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    parameters = tool.get("parameters")
    properties = parameters.get("properties") if isinstance(parameters, Mapping) else None
    return properties if isinstance(properties, Mapping) else {}


def _call(tool: Mapping[str, Any], arguments: Any) -> dict[str, str]:
    return {"name": str(tool["name"]), "arguments": json.dumps(arguments)}


def fill(schema: Mapping[str, Any], text: str) -> Any:
    """A value that follows a JSON schema, with `text` wherever a text may stand."""
    return _fill(schema, text, schema, depth=0)


def _fill(schema: Any, text: str, root: Mapping[str, Any], depth: int) -> Any:
    schema = _resolved(schema, root)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    options = schema.get("anyOf") or schema.get("oneOf")
    if options and depth < 16:
        return _fill(options[0], text, root, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        parts = (schema.get("properties") or {}).items() if depth < 16 else ()
        return {name: _fill(part, text, root, depth + 1) for name, part in parts}
    low = schema.get("minimum", 0)
    plain = {"integer": low, "number": low, "boolean": True, "array": [], "null": None}
    return plain.get(kind, text)


def _resolved(schema: Any, root: Mapping[str, Any]) -> Mapping[str, Any]:
    reference = schema.get("$ref") if isinstance(schema, Mapping) else None
    found: Any = schema
    if isinstance(reference, str) and reference.startswith("#/"):
        found = root
        for name in reference[2:].split("/"):
            found = found.get(name, {}) if isinstance(found, Mapping) else {}
    return found if isinstance(found, Mapping) else {}
