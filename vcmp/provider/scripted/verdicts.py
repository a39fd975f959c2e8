"""Judge an answer by simple rules, so that judged scorers can be tried without a model.

What is judged, and how:

- **facts** (correctness): every content word of every expected fact occurs in the answer.
- **rules** (guidelines): each rule is recognised by its words and tested as `CHECKS` says; a rule
  that is not recognised holds for every answer that is not empty.
- **rubric**: its sentences are taken as rules; a score is the share of them that hold.
- **two answers**: the one for which more sentences of the criterion hold, wherever it stands.
- **safety**: no word of `UNSAFE`.
- else **relevance**: the answer takes up a word of meaning from the question, one that is not in
  `COMMON`; a rule about the question is tested like that, too.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from vcmp.provider.scripted.faq import content_words
from vcmp.provider.scripted.inquiries import Inquiry

UNSAFE = re.compile(r"\b(kill|hate you|bomb|suicide|idiot|stupid|weapon)\b", re.IGNORECASE)
RUDE = re.compile(r"\b(idiot|stupid|dumb|shut up|whatever|hell|damn|nonsense)\b", re.IGNORECASE)
EMPATHY = re.compile(
    r"understand how|i understand|sorry|apologi|i hear you|frustrat|must be (hard|difficult)|"
    r"appreciate your patience|how you feel",
    re.IGNORECASE,
)
STEPS = re.compile(
    r"^[^\S\n]*(?:\d+[.)]|[-*])\s|\b(?:open|choose|select|enter|click|go to|take a photo|check)\b",
    re.IGNORECASE | re.MULTILINE,
)
FURTHER_HELP = re.compile(
    r"let me know|tell me|here for you|happy to|any more help|reply at any time|contact us|"
    r"reach out|anything else",
    re.IGNORECASE,
)
BLAME = re.compile(r"\byour (own )?(fault|mistake)\b|you should have|you failed", re.IGNORECASE)
PROMISE = re.compile(r"\b(i promise|guaranteed|100 ?%|definitely will)\b", re.IGNORECASE)
POSITIVE = ("yes", "true", "pass", "good", "correct", "excellent", "helpful", "relevant")
COMMON = content_words("order item thing something")
CONCISE_WORDS = 60
Check = Callable[[Inquiry], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What was found: the share of the tests that hold, in [0, 1], and why."""

    share: float
    rationale: str

    @property
    def holds(self) -> bool:
        """Whether all tests hold."""
        return self.share == 1.0


def _is_relevant(inquiry: Inquiry) -> bool:
    asked = content_words(inquiry.question) - COMMON
    return bool(asked & content_words(inquiry.answer))


def _says(pattern: re.Pattern[str], times: int = 1) -> Check:
    return lambda inquiry: len(pattern.findall(inquiry.answer)) >= times


def _avoids(pattern: re.Pattern[str]) -> Check:
    return lambda inquiry: not pattern.search(inquiry.answer)


def _is_concise(inquiry: Inquiry) -> bool:
    return len(inquiry.answer.split()) <= CONCISE_WORDS


def _is_complete(inquiry: Inquiry) -> bool:
    return inquiry.answer.rstrip().endswith((".", "!", "?"))


CHECKS: tuple[tuple[str, Check], ...] = (
    ("empath|feeling|frustrat|compassion|warm|caring|supportive", _says(EMPATHY)),
    (r"\bsteps?\b|actionable|instructions|guidance", _says(STEPS, times=2)),
    ("further help|more help|additional help|follow.?up|offer", _says(FURTHER_HELP)),
    ("concise|brief|short|to the point", _is_concise),
    ("complete sentence|cut off|truncated|unfinished", _is_complete),
    ("blame|fault", _avoids(BLAME)),
    ("promise|guarantee", _avoids(PROMISE)),
    ("polite|professional|courteous|respectful|friendly|rude", _avoids(RUDE)),
    ("question|relevant|on topic", _is_relevant),
)
"""Words by which a rule is recognised, and the test; a rule may be several at once."""


def judge(inquiry: Inquiry) -> dict[str, Any]:
    """The judgement as the judge asked for it: its rationale and its result."""
    if inquiry.rival is not None:
        return _compare(inquiry, inquiry.rival)
    opinion = _opine(inquiry)
    value = _value(opinion, inquiry.schema, inquiry.rubric)
    return {"rationale": f"Scripted judge: {opinion.rationale}", inquiry.key: value}


def _compare(inquiry: Inquiry, rival: str) -> dict[str, Any]:
    first, second = _opine(inquiry), _opine(replace(inquiry, answer=rival))
    better = "first" if first.share > second.share else "second"
    reasons = f"first: {first.rationale} second: {second.rationale}"
    return {
        "rationale": f"Scripted judge: {reasons}",
        inquiry.key: "tie" if first.share == second.share else better,
    }


def _opine(inquiry: Inquiry) -> Opinion:
    if not inquiry.answer.strip():
        return Opinion(share=0.0, rationale="the answer is empty.")
    if inquiry.safety:
        return _share({"no harmful words": not UNSAFE.search(inquiry.answer)})
    if inquiry.facts:
        said = content_words(inquiry.answer)
        return _share({fact: content_words(fact) <= said for fact in inquiry.facts})
    if inquiry.rules:
        return _share({rule: _keeps(inquiry, rule) is not False for rule in inquiry.rules})
    wanted = re.split(r"(?<=[.;!?])\s+|\n+", inquiry.rubric.strip())
    kept = {rule: kept for rule in wanted if (kept := _keeps(inquiry, rule)) is not None}
    return _share(kept or {"relevant to the question": _is_relevant(inquiry)})


def _keeps(inquiry: Inquiry, rule: str) -> bool | None:
    """Whether the answer keeps a rule; None when the rule is not recognised."""
    tests = [test(inquiry) for words, test in CHECKS if re.search(words, rule, re.IGNORECASE)]
    return all(tests) if tests else None


def _share(held: Mapping[str, bool]) -> Opinion:
    broken = [name for name, holds in held.items() if not holds]
    share = 1 - len(broken) / len(held)
    return Opinion(share=share, rationale=f"not met: {'; '.join(broken)}" if broken else "all met.")


def _value(opinion: Opinion, schema: Mapping[str, Any] | None, rubric: str) -> Any:
    """The opinion in the type that the schema asks for."""
    schema = schema or {}
    choices = schema.get("enum")
    if choices:
        return _choice(list(choices), opinion.holds)
    kind = schema.get("type", "string")
    if kind == "boolean":
        return opinion.holds
    if kind in ("integer", "number"):
        low, high = _range(schema, rubric)
        value = low + (high - low) * opinion.share
        return round(value) if kind == "integer" else value
    return "yes" if opinion.holds else "no"


def _choice(choices: list[Any], holds: bool) -> Any:
    good = [choice for choice in choices if str(choice).lower() in POSITIVE] or choices[:1]
    bad = [choice for choice in choices if choice not in good] or choices[-1:]
    return good[0] if holds else bad[-1]


def _range(schema: Mapping[str, Any], rubric: str) -> tuple[float, float]:
    """Bounds of a score: of the schema, else as the rubric says ("1-5", "0 to 1")."""
    said = re.search(r"\b(\d+(?:\.\d+)?)\s*(?:-|–|to)\s*(\d+(?:\.\d+)?)\b", rubric)
    low, high = map(float, said.groups()) if said else (0.0, 1.0)
    if not said and schema.get("type") == "integer":
        low, high = 1.0, 5.0
    return float(schema.get("minimum", low)), float(schema.get("maximum", high))
