"""Scorers that hold the output against what the case expects."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vcmp.errors import ConfigError
from vcmp.metrics import text_of
from vcmp.scorers.texts import among, fold, words
from vcmp.types import Case, Score


def expectation_of(case: Case, name: str) -> Any:
    """What the case expects under `name`.

    Raises:
        LookupError: Nothing, an empty text or an empty list: the case cannot be scored.
    """
    value = case.expectations.get(name)
    if value is None or value == "" or value == []:
        known = ", ".join(repr(key) for key in case.expectations) or "none"
        raise LookupError(f"case {case.id!r} has no expectation {name!r}; it has {known}")
    return value


@dataclass(frozen=True)
class Mentions:
    """Share of the expected phrases that occur in the output.

    The expectation is a list of phrases, or one phrase. A case without it is unscored.
    """

    expectation: str = "expected_facts"
    ignore_case: bool = True

    def __call__(self, case: Case, output: Any) -> Score:
        expected = expectation_of(case, self.expectation)
        phrases = (
            [text_of(item) for item in expected] if _is_list(expected) else [text_of(expected)]
        )
        if not all(fold(phrase) for phrase in phrases):
            raise ValueError(f"case {case.id!r}: {self.expectation!r} holds an empty phrase")
        found = among(phrases, text_of(output), ignore_case=self.ignore_case)
        missing = [phrase for phrase in phrases if phrase not in found]
        return Score(
            value=1 - len(missing) / len(phrases),
            rationale=f"missing: {', '.join(map(repr, missing))}" if missing else "",
        )


@dataclass(frozen=True)
class ExactMatch:
    """1 when the output equals the expectation, 0 when not.

    Two texts are equal whatever their white space and kind of quotes. If neither is a text they are
    compared as JSON values.
    """

    expectation: str = "expected_response"
    ignore_case: bool = False
    ignore_punctuation: bool = False

    def __call__(self, case: Case, output: Any) -> Score:
        expected = expectation_of(case, self.expectation)
        if isinstance(expected, str) or isinstance(output, str):
            same = self._form(text_of(expected)) == self._form(text_of(output))
        else:
            same = expected == output
        return Score(value=float(same), rationale="" if same else f"expected {expected!r}")

    def _form(self, text: str) -> str:
        if self.ignore_punctuation:
            text = re.sub(r"[^\w\s]|_", " ", text)
        return fold(text, ignore_case=self.ignore_case)


@dataclass(frozen=True)
class FuzzyMatch:
    """How alike output and expectation are written, whatever the order of the words.

    The Dice coefficient 2 |A ∩ B| / (|A| + |B|) (Dice, 1945, "Measures of the amount of ecologic
    association between species") of the multisets of three-letter runs of their words, each word
    padded by two spaces before and one after, as PostgreSQL's pg_trgm does. Symmetric; a slip of
    the pen costs a few runs and not a word.
    """

    expectation: str = "expected_response"

    def __call__(self, case: Case, output: Any) -> Score:
        expected = _trigrams(_expected_words(case, self.expectation))
        actual = _trigrams(words(text_of(output)))
        return _f1((expected & actual).total(), expected.total() + actual.total())


@dataclass(frozen=True)
class Overlap:
    """F1 of the words that output and expectation share: ROUGE (Lin, 2004, "ROUGE: a package for
    automatic evaluation of summaries").

    With `n` a number, ROUGE-N: matches m are runs of n words, each counted at most as often as in
    the other text; P = m / runs of the output, R = m / runs of the expectation. With `n` "l",
    ROUGE-L: m is the length of the longest common subsequence of words. F1 = 2 P R / (P + R).
    Words are compared without case and without stemming.

    Raises:
        ConfigError: `n` is neither a positive number nor "l", at construction.
    """

    expectation: str = "expected_response"
    n: int | str = 1

    def __post_init__(self) -> None:
        if self.n != "l" and not (isinstance(self.n, int) and self.n >= 1):
            raise ConfigError(f"Overlap: n={self.n!r} is neither a number of words nor 'l'.")

    def __call__(self, case: Case, output: Any) -> Score:
        n = self.n if isinstance(self.n, int) else 1
        expected = _expected_words(case, self.expectation, at_least=n)
        actual = words(text_of(output))
        if self.n == "l":
            return _f1(_common_subsequence(expected, actual), len(expected) + len(actual))
        ours, theirs = _runs(actual, n), _runs(expected, n)
        return _f1((ours & theirs).total(), ours.total() + theirs.total())


def _f1(shared: int, total: int) -> Score:
    """2PR / (P + R) with P = shared / a and R = shared / b, where a + b = total > 0; in this form
    it is also right when nothing is shared."""
    return Score(value=2 * shared / total)


def _expected_words(case: Case, name: str, at_least: int = 1) -> list[str]:
    found = words(text_of(expectation_of(case, name)))
    if len(found) < at_least:
        raise ValueError(f"case {case.id!r}: {name!r} has fewer words than {at_least}")
    return found


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _trigrams(tokens: Sequence[str]) -> Counter[str]:
    padded = (f"  {token} " for token in tokens)
    return Counter(word[at : at + 3] for word in padded for at in range(len(word) - 2))


def _runs(tokens: Sequence[str], n: int) -> Counter[tuple[str, ...]]:
    return Counter(tuple(tokens[at : at + n]) for at in range(len(tokens) - n + 1))


def _common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence, by the bit-parallel method of Hyyrö (2004,
    "Bit-parallel LCS-length computation revisited"): one machine operation stands for a row."""
    places: dict[str, int] = {}
    for at, token in enumerate(one):
        places[token] = places.get(token, 0) | 1 << at
    every = (1 << len(one)) - 1
    row = every
    for token in other:
        matches = row & places.get(token, 0)
        row = ((row + matches) | (row - matches)) & every
    return len(one) - row.bit_count()
