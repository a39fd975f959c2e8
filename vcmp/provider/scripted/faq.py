"""The help centre that the scripted provider answers from, and how it finds an entry."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vcmp.errors import ConfigError
from vcmp.nodes import compose

_SMALL = """
a about after all also am an and any are as at be been but by can could did do does for from get
got had has have hello help here hi how i if in is it its just like me my need no not of on or
our out please so that the their them then there these they this to up us want was we were what
when where which who why will with would you your
"""
STOPWORDS = frozenset(_SMALL.split())
PHRASE_WEIGHT = 2.0
"""A keyword of several words says more than each of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What there is to say about one subject."""

    id: str
    keywords: tuple[str, ...]
    facts: tuple[str, ...]
    """Sentences, the most important first."""
    steps: tuple[str, ...] = ()
    """Imperative sentences, in order."""
    feeling: str = ""
    """A sentence that shows that the customer is understood."""


UNKNOWN = Entry(
    id="unknown",
    keywords=(),
    facts=(
        "I do not have information about that.",
        "Our team can look into it if you share your order number.",
    ),
    steps=("Open Help in your account.", "Choose Contact us and describe what you need."),
    feeling="It is tiring when the answer is hard to find.",
)


def words(text: str) -> list[str]:
    """The words of `text`, in lower case and without the commonest endings."""
    return [_stem(word) for word in re.findall(r"[a-z0-9]+", text.lower().replace("'s", ""))]


def content_words(text: str) -> set[str]:
    """The words that carry meaning."""
    return {word for word in words(text) if word not in STOPWORDS and len(word) > 1}


def _stem(word: str) -> str:
    for ending, least in (("ies", 3), ("ing", 4), ("ed", 4), ("es", 4), ("s", 3), ("e", 4)):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= least:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


class Faq:
    """Entries, found by their keywords.

    An entry's score is the sum over its keywords that occur in the question; a keyword weighs
    log(1 + N / n) for N entries of which n have it (Spärck Jones, 1972, inverse document
    frequency), times `PHRASE_WEIGHT` when it has several words.
    """

    def __init__(self, entries: tuple[Entry, ...]) -> None:
        self.entries = entries
        self._keys = [{tuple(words(key)) for key in entry.keywords} for entry in entries]
        self._shares = Counter(key for keys in self._keys for key in keys)

    def search(self, question: str) -> list[tuple[Entry, float]]:
        """Entries with a score above 0, best first; `UNKNOWN` when there is none."""
        asked = words(question)
        found = {
            tuple(asked[start : start + size])
            for size in range(1, 5)
            for start in range(len(asked) - size + 1)
        }
        scores = [sum(map(self._weight, keys & found)) for keys in self._keys]
        ranked = sorted(zip(self.entries, scores, strict=True), key=lambda pair: -pair[1])
        return [pair for pair in ranked if pair[1] > 0] or [(UNKNOWN, 0.0)]

    def _weight(self, key: tuple[str, ...]) -> float:
        rarity = math.log(1 + len(self.entries) / self._shares[key])
        return rarity * (PHRASE_WEIGHT if len(key) > 1 else 1.0)


def load_faq(path: str) -> Faq:
    """Read a YAML list of entries.

    Raises:
        ConfigError: The file is missing or is no list of entries.
    """
    import yaml

    if not Path(path).exists():
        raise ConfigError(
            f"provider=scripted: cannot read faq {path!r} (No such file or directory).\n"
            "  Relative paths start at the project folder; choose another: provider.faq=…"
        )
    text, _ = compose(Path(path), f"provider=scripted: {path}")
    rows = yaml.safe_load(text)
    if not isinstance(rows, list) or not rows:
        raise ConfigError(f"provider=scripted: {path} is not a list of entries")
    return Faq(tuple(_entry(path, number, row) for number, row in enumerate(rows, start=1)))


def _entry(path: str, number: int, row: Any) -> Entry:
    where = f"provider=scripted: {path}: entry {number}"
    if not isinstance(row, Mapping):
        raise ConfigError(f"{where} is not a mapping")
    for key in ("id", "keywords", "facts"):
        if not row.get(key):
            raise ConfigError(f"{where} has no {key!r}.\n  It needs id, keywords and facts.")
    lists = {key: tuple(map(str, row.get(key) or ())) for key in ("keywords", "facts", "steps")}
    return Entry(id=str(row["id"]), feeling=str(row.get("feeling") or ""), **lists)
