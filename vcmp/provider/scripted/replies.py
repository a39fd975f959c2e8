"""Compose an answer: what the FAQ knows, in the tone the system prompt asks for."""

import random
import re
from dataclasses import dataclass

from vcmp.provider.scripted.faq import Entry, Faq

OPENINGS = (
    "I'm so sorry about this. I understand how frustrating this must be.",
    "Thank you for reaching out. I understand how frustrating this must be.",
    "I'm really sorry for the trouble. I completely understand how you feel.",
    "I hear you, and I'm sorry that you have to deal with this.",
)
CLOSINGS = (
    "I'm here for you, so please tell me if anything is unclear.",
    "Please let me know if you need any more help, I'm happy to stay with you on this.",
    "We'll get this sorted together, please reply at any time.",
)
SECOND_BEST = 0.6
"""An entry with at least this share of the best score can be mistaken for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """What a system prompt asks for, as far as it is understood."""

    warm: bool = False
    """It speaks of empathy or feelings: a caring opening and closing."""
    numbered: bool = False
    """It asks for steps: they are numbered."""
    brief: bool = False
    """It asks for short answers: no opening, closing or steps."""
    sentences: int = 0
    """The most sentences it allows; 0 when it does not say."""


def read_style(prompt: str) -> Style:
    """Recognise the words that matter in a system prompt."""
    text = prompt.lower()
    limit = re.search(r"\b(one|two|three|four|five|\d{1,2})\s+(?:short\s+)?sentences?\b", text)
    numbers = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5}
    said = limit.group(1) if limit else "0"
    return Style(
        warm=bool(re.search(r"empath|feelings|compassion|acknowledge the customer|caring", text)),
        numbered=bool(re.search(r"\bsteps?\b|actionable", text)),
        brief=bool(re.search(r"\bconcise|\bbrief|\bshort\b|to the point", text)),
        sentences=numbers.get(said) or int(said),
    )


def choose_entry(faq: Faq, question: str, temperature: float, chance: random.Random) -> Entry:
    """The best entry; when it is hot, sometimes the second best that is nearly as good."""
    (best, score), *others = faq.search(question)
    close = [entry for entry, other in others[:1] if other >= SECOND_BEST * score]
    if close and chance.random() < 0.15 * temperature:
        return close[0]
    return best


def compose(entry: Entry, style: Style, temperature: float, chance: random.Random) -> str:
    """The answer in full, before `max_tokens` cuts it."""
    facts, steps = list(entry.facts), list(entry.steps)
    if chance.random() < 0.15 * temperature:
        details = facts[1:] + steps
        dropped = chance.choice(details) if details else ""
        facts = [fact for fact in facts if fact != dropped]
        steps = [step for step in steps if step != dropped]
    if style.brief:
        return " ".join(facts[: style.sentences or 2])
    body = _numbered(facts, steps) if style.numbered else _prose(facts, steps)
    if style.sentences:
        body = " ".join(re.split(r"(?<=[.!?])\s+", body)[: style.sentences])
    return _warm(body, entry, temperature, chance) if style.warm else body


def _prose(facts: list[str], steps: list[str]) -> str:
    """Nobody asked for steps, so it says how to begin and leaves the rest to the reader."""
    return " ".join(facts + steps[:2])


def _numbered(facts: list[str], steps: list[str]) -> str:
    """Steps come early, since they are what is asked for; what else there is to know, last."""
    lines = [" ".join(facts[:2])]
    lines += [f"{number}. {step}" for number, step in enumerate(steps, start=1)]
    if facts[2:]:
        lines.append("Good to know: " + " ".join(facts[2:]))
    return "\n".join(lines)


def _warm(body: str, entry: Entry, temperature: float, chance: random.Random) -> str:
    opening = chance.choice(OPENINGS) if chance.random() < temperature else OPENINGS[0]
    closing = chance.choice(CLOSINGS) if chance.random() < temperature else CLOSINGS[0]
    return f"{opening} {entry.feeling}".rstrip() + f"\n{body}\n{closing}"


def after_tool(result: object, entry: Entry) -> str:
    """The answer once a tool has spoken: its fields in words, then the first fact."""
    if not isinstance(result, dict):
        return f"Here is what I found: {result}. {entry.facts[0]}"
    if "error" in result:
        return f"I could not find that: {result['error']}. Please check the number and try again."
    fields = [f"{str(key).replace('_', ' ')}: {value}" for key, value in result.items()]
    return f"Here is what I found. {'; '.join(fields).capitalize()}. {entry.facts[0]}"
