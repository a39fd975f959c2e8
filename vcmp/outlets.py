"""stdout and stderr without secrets, and in a log without commands, whoever writes to them.

An agent may print its headers or what a model said, and what goes wrong in a thread of its own is
printed by Python. So the two streams are the last place where a secret is looked for, and where a
command of a CI system is made a harmless line. A line that is written in pieces is looked at as a
whole.
"""

import io
import sys
from typing import Any, TextIO

from vcmp.display import printable
from vcmp.secrets import mask


class Outlet:
    """A text stream that holds a line back until it is complete, or flushed, and masks it.

    Where it is no terminal, a carriage return ends a line, as those who read logs take it.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._log = not stream.isatty()
        self._held = ""
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Take a piece of text; complete lines go out."""
        self._held += text
        end = max(self._held.rfind("\n"), self._held.rfind("\r")) + 1
        if end:
            lines, self._held = self._held[:end], self._held[end:]
            self._let_out(lines)
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each of the texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Let out what is held back, and flush the stream."""
        held, self._held = self._held, ""
        if held:
            self._let_out(held)
        self._stream.flush()

    def _let_out(self, text: str) -> None:
        text = mask(text)
        if self._log:
            text = printable(text.replace("\r\n", "\n").replace("\r", "\n"))
        self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def guard_outlets() -> None:
    """Put an outlet before stdout and stderr for the rest of the process."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Outlet):
            setattr(sys, name, Outlet(stream))
