"""How the scorers read text: what counts as the same phrase, and what counts as a word."""

import re
import unicodedata
from collections.abc import Iterable

_STRAIGHT = str.maketrans("‘’‛′“”„″", "''''\"\"\"\"")


def fold(text: str, *, ignore_case: bool = True) -> str:
    """`text` in the one form in which phrases are compared.

    Compatibility characters are composed (Unicode NFKC), typographic quotes made straight, runs of
    white space become one space. Models write "I’m sorry" and break lines where they like; neither
    makes it another phrase.
    """
    composed = unicodedata.normalize("NFKC", text).translate(_STRAIGHT)
    spaced = " ".join(composed.split())
    return spaced.casefold() if ignore_case else spaced


def among(phrases: Iterable[str], text: str, *, ignore_case: bool = True) -> list[str]:
    """Those of the phrases that stand anywhere in `text`, also inside a word; all sides folded."""
    folded = fold(text, ignore_case=ignore_case)
    return [phrase for phrase in phrases if fold(phrase, ignore_case=ignore_case) in folded]


def words(text: str) -> list[str]:
    """The words of `text` without case: runs of letters, digits, underscores and apostrophes."""
    return re.findall(r"\w+(?:'\w+)*", fold(text))
