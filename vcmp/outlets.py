"""stdout and stderr without secrets, whoever writes to them.

An agent may print its headers, and what goes wrong in a thread of its own is printed by Python. So
the two streams are the last place where a secret is looked for, line by line: a line that is
written in pieces is looked at as a whole.
"""

import sys
from typing import Any, TextIO

from vcmp.secrets import mask


class Outlet:
    """A text stream that holds a line back until it is complete, or flushed, and masks it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._held = ""

    def write(self, text: str) -> int:
        """Take a piece of text; complete lines go out."""
        self._held += text
        end = max(self._held.rfind("\n"), self._held.rfind("\r")) + 1
        if end:
            lines, self._held = self._held[:end], self._held[end:]
            self._stream.write(mask(lines))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each of the texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Let out what is held back, and flush the stream."""
        held, self._held = self._held, ""
        if held:
            self._stream.write(mask(held))
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_outlets() -> None:
    """Put an outlet before stdout and stderr for the rest of the process."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Outlet):
            setattr(sys, name, Outlet(stream))
