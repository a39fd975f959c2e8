"""A YAML file as nodes: read without building anything, so that nothing in it can act.

Nodes are PyYAML's. An alias is the same node in several places; every walk here visits it once.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from vcmp.errors import ConfigError

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
MAX_NODES = 50_000
"""Nodes a file may have once its aliases are written out."""
MAX_DIGITS = 1_000
"""Characters of a number: with the square of them grows how long `1:59:59:…` takes to read."""
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
_PLAIN_TAG = re.compile(r"tag:yaml\.org,2002:\w+")


def compose(path: Path, where: str) -> tuple[str, Any]:
    """The text of a file and its root node, None when it is empty.

    Raises:
        ConfigError: It is not YAML, larger or deeper than a configuration may be, or has tags for
            objects.
    """
    import yaml

    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        what = f"{path.stat().st_size:,} bytes" if path.is_file() else "no plain file"
        raise ConfigError(
            f"{where}: {what}; a file of YAML may have {MAX_BYTES:,} bytes."
            "\n  Put data into a dataset file."
        )
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = path.read_text(encoding="utf-8")
        _refuse_depth(yaml.parse(text, Loader=loader), where)
        root = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(f"{where}{line}: not YAML ({error.problem}). Mend that line.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}: not YAML ({str(error).splitlines()[0]}). Mend it.") from error
    if root is not None and _size(root, {}, where) > MAX_NODES:
        raise ConfigError(
            f"{where}: more than {MAX_NODES:,} values once its aliases (*name) are written out."
            "\n  Write the values without nested aliases."
        )
    return text, root


def _refuse_depth(events: Iterable[Any], where: str) -> None:
    """Refuse deep nesting before it is composed: PyYAML's fast loader would crash the process."""
    import yaml

    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1
            raise ConfigError(f"{where}:{line}: nested more than {MAX_DEPTH} deep. Write it flat.")


def _size(node: Any, known: dict[int, int], where: str) -> int:
    """Nodes from `node` on with every alias written out; a recursive alias is endless."""
    if id(node) in known:
        return known[id(node)]
    if not _PLAIN_TAG.fullmatch(node.tag):
        line = node.start_mark.line + 1
        raise ConfigError(f"{where}:{line}: {node.tag!r} is no plain value. Remove the tag.")
    if node.tag in _NUMBERS and len(node.value) > MAX_DIGITS:
        line = node.start_mark.line + 1
        raise ConfigError(
            f"{where}:{line}: a number of {len(node.value):,} characters."
            " Put it in quotation marks."
        )
    known[id(node)] = MAX_NODES + 1
    known[id(node)] = size = 1 + sum(_size(child, known, where) for child in children(node))
    return size


def children(node: Any) -> Iterable[Any]:
    """The nodes right below a node; none below a scalar."""
    if isinstance(node.value, str):
        return ()
    return [
        part for child in node.value for part in (child if isinstance(child, tuple) else (child,))
    ]


def items(node: Any) -> list[tuple[str, Any]]:
    """Keys and values of a mapping, those that `<<` merges into it too; none of another node."""
    found: list[tuple[str, Any]] = []
    if node.id != "mapping":
        return found
    for key, value in node.value:
        if key.tag == "tag:yaml.org,2002:merge":
            parts = value.value if value.id == "sequence" else [value]
            found += [item for part in parts for item in items(part)]
        else:
            found.append((str(key.value), value))
    return found


def walk(root: Any) -> Iterator[Any]:
    """Every node from `root` on."""
    seen: set[int] = set()
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if id(node) not in seen:
            seen.add(id(node))
            yield node
            waiting += children(node)


def texts(root: Any) -> Iterator[str]:
    """Every scalar from `root` on."""
    return (node.value for node in walk(root) if isinstance(node.value, str))
