"""How the scorers read text: what counts as the same phrase, and what counts as a word.

An output may have millions of characters, and several scorers read several of them at once; so a
long text is read in pieces.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

PIECE = 65_536
"""Characters after which a text is read in pieces, from white space to white space; where there is
none for as long again, a word is cut."""
_STRAIGHT = str.maketrans("‘’‛′“”„″", "''''\"\"\"\"")
_SPACE = re.compile(r"\s")
_WORD = re.compile(r"\w+(?:'\w+)*")


def fold(text: str, *, ignore_case: bool = True) -> str:
    """`text` in the one form in which phrases are compared.

    Compatibility characters are composed (Unicode NFKC), typographic quotes made straight, runs of
    white space become one space. Models write "I’m sorry" and break lines where they like; neither
    makes it another phrase.
    """
    return " ".join(filter(None, _folded(text, ignore_case)))


def among(phrases: Iterable[str], text: str, *, ignore_case: bool = True) -> list[str]:
    """Those of the phrases that stand anywhere in `text`, also inside a word; all sides folded."""
    phrases = list(phrases)
    folded = {phrase: fold(phrase, ignore_case=ignore_case) for phrase in phrases}
    longest = max(map(len, folded.values()), default=0)
    found: set[str] = set()
    for window in _windows(_folded(text, ignore_case), longest):
        found.update(phrase for phrase in folded if folded[phrase] in window)
    return [phrase for phrase in phrases if phrase in found]


def _windows(pieces: Iterable[str], overlap: int) -> Iterator[str]:
    """Each piece behind the last characters of those before it; at least one window."""
    window = ""
    for piece in filter(None, pieces):
        window = f"{window[-overlap:]} {piece}" if window and overlap else piece
        yield window
    if not window:
        yield window


def words(text: str) -> list[str]:
    """The words of `text` without case: runs of letters, digits, underscores and apostrophes."""
    return _WORD.findall(fold(text))


def count_words(text: str) -> int:
    """How many `words` there are."""
    return sum(len(_WORD.findall(piece)) for piece in _folded(text, ignore_case=True))


def _folded(text: str, ignore_case: bool) -> Iterator[str]:
    for piece in _pieces(text):
        composed = unicodedata.normalize("NFKC", piece).translate(_STRAIGHT)
        spaced = " ".join(composed.split())
        yield spaced.casefold() if ignore_case else spaced


def _pieces(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        last = min(start + 2 * PIECE, len(text))
        space = _SPACE.search(text, start + PIECE, last)
        end = space.start() if space else last
        yield text[start:end]
        start = end
