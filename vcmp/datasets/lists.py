"""JSON and YAML, strictly: what two readers could understand differently is not understood.

Keys that stand twice in a mapping, NaN and numbers beyond the range of a float are refused. A YAML
date is text, as it is in every other format.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Hashable, Iterator
from typing import Any

import yaml

from vcmp.datasets.cases import Unreadable
from vcmp.errors import DatasetError

MAX_NODES = 1_000_000
"""Values a YAML file may expand to: nine lines of aliases can stand for a thousand million."""

MAX_DIGITS = 1_000
"""Characters of a number in YAML: the time that `1:59:59:…` takes grows with their square."""

_BLANKS = re.compile(r"[ \t\r\n]*")


class _SlipError(ValueError):
    """Text that Python's json would accept and JSON does not allow."""


def json_value(text: str) -> Any:
    """The value of a JSON text, or why there is none."""
    try:
        return _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        return _unreadable(error)


def json_items(text: str, where: str) -> Iterator[tuple[int, Any]]:
    """The items of a JSON list, each with the number of the line on which it begins.

    Raises:
        DatasetError: The text is not a list.
    """
    position = _skip(text, 0)
    if position == len(text):
        return
    if text[position] != "[":
        raise DatasetError(
            f"{where}: not a list of cases. Put [ before the first and ] at the end."
        )
    line, counted, separator = 1, 0, "["
    while text[position : position + 1] == separator:
        begin = _skip(text, position + 1)
        line, counted = line + text.count("\n", counted, begin), begin
        if separator == "[" and text[begin : begin + 1] == "]":
            position = begin
            break
        try:
            item, position = _DECODER.raw_decode(text, begin)
        except (ValueError, RecursionError) as error:
            # Where the next item begins cannot be known.
            yield _line_of(error, line), _unreadable(error)
            return
        yield line, item
        position, separator = _skip(text, position), ","
    line += text.count("\n", counted, position)
    if text[position : position + 1] != "]":
        yield line, Unreadable("not JSON (expecting ',' or ']' after a case)")
    elif _skip(text, position + 1) != len(text):
        yield line, Unreadable("not JSON (extra data after the list)")


def yaml_items(text: str, where: str) -> Iterator[tuple[int, Any]]:
    """The items of a YAML list, each with the number of the line on which it begins.

    Raises:
        DatasetError: The text is not YAML, not a list, or expands to more than `MAX_NODES` values.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            return
        if not isinstance(root, yaml.SequenceNode):
            raise DatasetError(f"{where}: not a list of cases. Begin each case with '- inputs:'.")
        _refuse_expansion(root, where)
        for node in root.value:
            yield node.start_mark.line + 1, _yaml_value(loader, node)
    except (yaml.YAMLError, RecursionError) as error:
        line, reason = _yaml_reason(error)
        raise DatasetError(f"{where}{line}: not YAML ({reason})") from error


def _skip(text: str, position: int) -> int:
    blanks = _BLANKS.match(text, position)
    return blanks.end() if blanks else position


def _line_of(error: Exception, otherwise: int) -> int:
    return error.lineno if isinstance(error, json.JSONDecodeError) else otherwise


def _unreadable(error: Exception) -> Unreadable:
    match error:
        case json.JSONDecodeError():
            reason = f"{error.msg[0].lower()}{error.msg[1:]}"
            return Unreadable(f"not JSON at column {error.colno} ({reason})")
        case _SlipError():
            return Unreadable(f"not JSON ({error})")
        case RecursionError():
            return Unreadable("nested too deep")
        case _:  # the interpreter's bound on the digits of an integer
            return Unreadable("a number has too many digits")


def _constant(name: str) -> Any:
    raise _SlipError(f"{name} is not a number there")


def _float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise _SlipError(f"{digits} is too large for a number")
    return number


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key, value in pairs:
        if key in mapping:
            raise _SlipError(f"key {key!r} stands twice in one object")
        mapping[key] = value
    return mapping


_DECODER = json.JSONDecoder(
    parse_constant=_constant, parse_float=_float, object_pairs_hook=_mapping
)


class _Loader(yaml.SafeLoader):
    def construct_scalar(self, node: Any) -> Any:
        is_number = node.tag.endswith((":int", ":float"))
        if is_number and len(node.value) > MAX_DIGITS:
            raise _SlipError("a number has too many digits")
        return super().construct_scalar(node)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        keys = Counter(key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key, n in keys.items():
            if n > 1 and key != "<<":
                raise _SlipError(f"key {key!r} stands twice in one mapping")
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {
    sign: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for sign, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _yaml_value(loader: _Loader, node: yaml.Node) -> Any:
    try:
        # Not construct_document: what is shared by two items is then built, and its keys are
        # checked, once, before its `<<` has been written out.
        return loader.construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError) as error:
        loader.recursive_objects.clear()  # or the next item that shares the node is misjudged
        return Unreadable(f"not YAML ({_yaml_reason(error)[1]})")


def _yaml_reason(error: Exception) -> tuple[str, str]:
    """`:<line>`, or "" when unknown, and the reason on one line."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f":{error.problem_mark.line + 1}", " ".join(str(error.problem).split())
    if isinstance(error, RecursionError):
        return "", "nested too deep"
    return "", " ".join(str(error).split())


def _refuse_expansion(root: yaml.Node, where: str) -> None:
    sizes: dict[int, float] = {}

    def size(node: yaml.Node) -> float:
        if id(node) not in sizes:
            sizes[id(node)] = math.inf  # what holds itself never ends
            value = node.value
            if isinstance(node, yaml.MappingNode):
                sizes[id(node)] = 1 + sum(size(key) + size(item) for key, item in value)
            elif isinstance(node, yaml.SequenceNode):
                sizes[id(node)] = 1 + sum(size(item) for item in value)
            else:
                sizes[id(node)] = 1
        return sizes[id(node)]

    if size(root) > MAX_NODES:
        raise DatasetError(
            f"{where}: its aliases (*name) expand to more than {MAX_NODES:,} values. "
            "Write the cases out, or use .jsonl."
        )
