"""What is shown to people: text with nothing in it that a terminal, a browser or a CI system obeys.

An agent, a judge or a dataset may have written it, so it can hold escape sequences, characters that
turn the line round, or commands. GitHub's runner takes a line of stdout or stderr for a command
when it begins with `::` after any white space, or has `##[` anywhere; Azure's agent looks for
`##vso[` anywhere, TeamCity for `##teamcity[`.
"""

import re

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e0fff\ud800-\udfff]"
)
"""Control, direction and invisible characters, and those that UTF-8 or XML cannot hold."""

_IGNORED = "\u034f\u180b-\u180d\u200c\u200d\ufe00-\ufe0f"
"""Wanted in some scripts and emoji, and skipped where texts are compared by a language's rules."""
_COMMAND = re.compile(
    rf"^(?:[^\S\n]|[{_IGNORED}])*:(?=[{_IGNORED}]*:)|#[{_IGNORED}]*#(?=[\w{_IGNORED}]*\[)",
    re.MULTILINE,
)


def visible(text: str, keep: str = "") -> str:
    """`text` with control and direction characters shown instead of obeyed, `keep` excepted."""
    return _HIDDEN.sub(lambda found: found[0] if found[0] in keep else _shown(found[0]), text)


def printable(text: str) -> str:
    """Lines that may be printed: characters are visible, and in a command stands a space."""
    return _COMMAND.sub(r"\g<0> ", visible(text, keep="\n"))


def _shown(character: str) -> str:
    code = ord(character)
    if character == "\n":
        return "↵"
    if character == "\t":
        return " "
    return chr(0x2400 + code) if code < 0x20 else f"⟨U+{code:04X}⟩"
