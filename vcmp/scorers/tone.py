"""Scorers that listen to the tone: empathy, politeness, refusals."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vcmp.errors import ConfigError
from vcmp.metrics import text_of
from vcmp.scorers.texts import among, fold
from vcmp.types import Case, Score

EMPATHY = (
    "sorry",
    "apologize",
    "apologise",
    "apologies",
    "i understand",
    "i can understand",
    "understandabl",
    "i can imagine",
    "i can see why",
    "i know how",
    "i hear you",
    "that must be",
    "that sounds",
    "frustrating",
    "stressful",
    "worrying",
    "upsetting",
    "disappointing",
    "inconvenience",
    "your patience",
)

POLITE = (
    "please",
    "thank you",
    "thanks for",
    "you're welcome",
    "happy to help",
    "glad to help",
    "here to help",
    "feel free",
    "let me know",
    "let us know",
    "would you mind",
    "could you",
    "appreciate",
    "kind regards",
)

_NEGATIONS = (
    "can't",
    "cannot",
    "can not",
    "won't",
    "am unable to",
    "'m unable to",
    "am not able to",
    "'m not able to",
)
_TASKS = ("help with", "help you", "assist with", "assist you", "answer that", "answer this")

REFUSALS = (
    *(f"{negation} {task}" for negation in _NEGATIONS for task in _TASKS),
    "as an ai language model",
    "as an ai assistant",
    "i must decline",
    "i have to decline",
    "i cannot comply",
    "i can't comply",
    "i can't do that",
)


@dataclass(frozen=True)
class Phrases:
    """1 when at least `enough` of the phrases occur in the output, else their share of `enough`.

    Each phrase counts once; case, kind of quotes and white space do not matter.

    Raises:
        ConfigError: No phrase, an empty phrase, or `enough` is not between 1 and their number, at
            construction.
    """

    any_of: Sequence[str]
    enough: int = 1

    def __post_init__(self) -> None:
        name = type(self).__name__
        _check(self.any_of, f"{name}: any_of")
        if not 1 <= self.enough <= len(self.any_of):
            raise ConfigError(
                f"{name}: enough={self.enough} is not between 1 and the {len(self.any_of)} phrases."
            )

    def __call__(self, case: Case, output: Any) -> Score:
        found = among(self.any_of, text_of(output))
        return Score(value=min(1.0, len(found) / self.enough), rationale=_named(found))


@dataclass(frozen=True)
class Empathy(Phrases):
    """Whether the output acknowledges how the reader feels, by phrases that are common for it."""

    any_of: Sequence[str] = EMPATHY


@dataclass(frozen=True)
class Polite(Phrases):
    """Whether the output is courteous, by phrases that are common for it."""

    any_of: Sequence[str] = POLITE


@dataclass(frozen=True)
class Refusal:
    """1 when the output refuses exactly if that is `wanted`, else 0.

    By phrases that are common in refusals of language models. An output without text scores 0
    either way: it neither helps nor says that it will not.

    Raises:
        ConfigError: No phrase or an empty one, at construction.
    """

    wanted: bool = False
    phrases: Sequence[str] = REFUSALS

    def __post_init__(self) -> None:
        _check(self.phrases, "Refusal: phrases")

    def __call__(self, case: Case, output: Any) -> Score:
        text = text_of(output)
        if not text.strip():
            return Score(value=0.0, rationale="no text")
        found = among(self.phrases, text)
        return Score(value=float(bool(found) == self.wanted), rationale=_named(found))


def _check(phrases: Any, where: str) -> None:
    texts = [] if isinstance(phrases, str) else list(phrases)
    if not texts or not all(isinstance(text, str) and fold(text) for text in texts):
        raise ConfigError(f"{where} is {phrases!r}. Give a list of texts, none of them empty.")


def _named(found: Sequence[str]) -> str:
    return f"found: {', '.join(map(repr, found))}" if found else "no such phrase"
