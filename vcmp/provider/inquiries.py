"""Recognise that a judge is asking, and what: vcmp's own judges and MLflow's."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FENCE = re.compile(r"<<<([a-z_]+)-([0-9a-f]+)\s*\n(.*?)\n?\1-\2>>>", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inquiry:
    """What a judge wants to know about an answer."""

    answer: str
    rival: str | None = None
    """The second answer, when the judge compares two."""
    question: str = ""
    rules: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    rubric: str = ""
    safety: bool = False
    key: str = "result"
    """Where the judgement goes: `result` or `score`."""
    schema: Mapping[str, Any] | None = None
    """JSON schema of the judgement; None for "yes" or "no"."""


def read_inquiry(messages: Sequence[tuple[str, str]], schema: Any) -> Inquiry | None:
    """The inquiry in a request; None when it is no judge's.

    Args:
        messages: Role and text, in order.
        schema: JSON schema that the reply has to follow, or None.
    """
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    properties = properties if isinstance(properties, Mapping) else {}
    key = "score" if "score" in properties else "result"
    text = "\n".join(text for _, text in messages)
    if "rationale" not in properties or key not in properties:
        if not ('"rationale"' in text and '"result"' in text):
            return None
        return _read_tags(text, {})
    how = {"key": key, "schema": properties[key]}
    asked = next((text for role, text in reversed(messages) if role == "user"), text)
    if re.search(r"^# (First a|A)nswer\s*$", asked, re.MULTILINE):
        return _read_sections(asked, how)
    if re.search(r"^(inputs|outputs|expectations): ", asked, re.MULTILINE):
        return _read_fields(text, asked, how)
    return _read_tags(text, how)


def _read_sections(text: str, how: dict[str, Any]) -> Inquiry:
    """vcmp's judges: sections under `# Rule`, `# Question`, `# Answer` and so on.

    What stands in a fence was written by the agent, so it is taken out before headings are read.
    """
    fenced: list[str] = []

    def keep(match: re.Match[str]) -> str:
        fenced.append(match.group(3))
        return f"\x00{len(fenced) - 1}\x00"

    parts = re.split(r"^# (\w[\w ]*?)\s*$", FENCE.sub(keep, text), flags=re.MULTILINE)

    def restored(part: str) -> str:
        inside = re.search(r"\x00(\d+)\x00", part)
        return fenced[int(inside.group(1))].strip() if inside else part.strip()

    sections = {
        name.lower(): restored(part) for name, part in zip(parts[1::2], parts[2::2], strict=True)
    }
    rule = sections.get("rule", "")
    return Inquiry(
        answer=sections.get("answer", sections.get("first answer", "")),
        rival=sections.get("second answer"),
        question=sections.get("question", ""),
        rules=(rule,) if rule else (),
        facts=_lines(sections.get("expected facts", "")),
        rubric=sections.get("rubric", sections.get("criterion", "")),
        **how,
    )


def _read_tags(text: str, how: dict[str, Any]) -> Inquiry:
    """MLflow's built-in judges: `<question>`, `<answer>`, `<guideline>`, `<claim>`, …"""
    question = _tag(text, "question") or _tag(text, "request")
    document = _tag(text, "document")
    answer = _tag(text, "answer") or _tag(text, "response") or _tag(text, "text")
    if document:
        answer = document.removeprefix(question).lstrip(" -")
    return Inquiry(
        answer=answer,
        question=question,
        rules=tuple(re.findall(r"<guideline>(.*?)</guideline>", text, re.DOTALL)),
        facts=_lines(_tag(text, "claim")),
        safety="content safety" in text,
        **how,
    )


def _read_fields(text: str, asked: str, how: dict[str, Any]) -> Inquiry:
    """MLflow's make_judge: the task in the system message, `outputs: …` in the user's."""
    parts = re.split(r"^(inputs|outputs|expectations): ", asked, flags=re.MULTILINE)
    fields = {name: part.strip() for name, part in zip(parts[1::2], parts[2::2], strict=True)}
    task = re.search(r"Your task: (.*?)\n\nYou \*must\*", text, re.DOTALL)
    return Inquiry(
        answer=fields.get("outputs", ""),
        question=fields.get("inputs", ""),
        rubric=task.group(1) if task else "",
        **how,
    )


def _tag(text: str, name: str) -> str:
    """What stands between the first `<name>` and the last `</name>`."""
    match = re.search(rf"<{name}>(.*)</{name}>", text, re.DOTALL)
    return match.group(1).strip() if match else ""


def _lines(text: str) -> tuple[str, ...]:
    stripped = (line.strip().removeprefix("-").strip() for line in text.splitlines())
    return tuple(line for line in stripped if line)
