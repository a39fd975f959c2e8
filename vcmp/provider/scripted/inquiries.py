"""Recognise that a judge is asking, and what: vcmp's own judges and MLflow's.

An agent's answer may hold headings, tags and fences of its own, so where an answer stands is read
from what its author could not write: the fences that the system message names, and the places that
come before the answer, or after it.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FENCES = re.compile(r"stands between the line <<<(\S+) and the line \1>>>")


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
    users = [text for role, text in messages if role == "user"]
    fences = FENCES.findall(messages[0][1]) if messages[0][0] == "system" else []
    if fences and users:
        return _read_sections(users[0], fences, how)
    asked = users[-1] if users else text
    if re.match(r"(inputs|outputs|expectations): ", asked):
        return _read_fields(text, asked, how)
    return _read_tags(text, how)


def _read_sections(text: str, fences: Sequence[str], how: dict[str, Any]) -> Inquiry:
    """vcmp's judges: sections under `# Rule`, `# Question`, `# Answer` and so on.

    What stands in a fence was written by an agent, so it is taken out before headings are read.
    """
    fenced: dict[str, str] = {}
    for fence in fences:
        before, _, rest = text.partition(f"<<<{fence}\n")
        inside, _, after = rest.partition(f"\n{fence}>>>")
        fenced[fence] = inside.strip()
        text = f"{before}{fence}{after}"
    parts = re.split(r"^# (\w[\w ]*?)\s*$", text, flags=re.MULTILINE)
    sections: dict[str, str] = {}
    answers: dict[str, str] = {}
    for name, part in zip(parts[1::2], map(str.strip, parts[2::2]), strict=True):
        if part in fenced:
            answers[name.lower()] = fenced[part]
        else:
            sections.setdefault(name.lower(), part)
    rule = sections.get("rule", "")
    return Inquiry(
        answer=answers.get("answer", answers.get("first answer", "")),
        rival=answers.get("second answer"),
        question=sections.get("question", ""),
        rules=(rule,) if rule else (),
        facts=_lines(sections.get("expected facts", "")),
        rubric=sections.get("rubric", sections.get("criterion", "")),
        **how,
    )


def _read_tags(text: str, how: dict[str, Any]) -> Inquiry:
    """MLflow's built-in judges: `<question>`, `<answer>`, `<guideline>`, `<claim>`, …"""
    opened = re.search("<(answer|response|text|document)>", text)
    before = text[: opened.start()] if opened else text
    name = opened[1] if opened else ""
    question = _tag(before, "question") or _tag(before, "request")
    answer = _tag(text[opened.start() :], name) if opened else ""
    if name == "document":
        answer = answer.removeprefix(question).lstrip(" -")
    return Inquiry(
        answer=answer,
        question=question,
        rules=tuple(re.findall(r"<guideline>(.*?)</guideline>", before, re.DOTALL)),
        facts=_lines(_tag(before, "claim")),
        safety="content safety" in before,
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
