"""A token as the scripted provider counts it: a piece of a word of up to four characters, or a
sign, with the space before it; near what real tokenizers make of English."""

import re

_TOKEN = re.compile(r"\s*(?:\w{1,4}|[^\w\s])")


def count_tokens(text: str) -> int:
    """How many tokens `text` has."""
    return len(_TOKEN.findall(text))


def split_tokens(text: str) -> list[str]:
    """The tokens of `text`; joined they are `text` again, without trailing space."""
    return _TOKEN.findall(text)
