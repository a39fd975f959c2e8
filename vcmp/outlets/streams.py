"""A text stream without secrets, and in a log without commands of a CI system."""

import io
import os
import threading
from typing import Any, TextIO

from vcmp.display import printable
from vcmp.secrets import mask


class Outlet:
    """A text stream that holds a line back until it is complete, and masks it.

    On a terminal, flushing lets out what is held: somebody waits for it. In a log it does not, as
    `::` and a key come in pieces from those who print what a model streams. There a carriage return
    ends a line, as those who read logs take it.

    Args:
        stream: Where it goes.
        descriptor: What child processes are to write to; that of the stream, if it has one, unless
            it is named.
    """

    def __init__(self, stream: "TextIO | Log", descriptor: int | None = None) -> None:
        self._stream = stream
        self._descriptor = descriptor
        self._log = not stream.isatty()
        self._held: list[str] = []
        self.buffer = _Bytes(self)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Take a piece of text; complete lines go out."""
        end = max(text.rfind("\n"), text.rfind("\r")) + 1
        if end:
            self._held.append(text[:end])
            self.finish()
        if text[end:]:
            self._held.append(text[end:])
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each of the texts."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the stream; on a terminal, let out what is held back, too."""
        if not self._log:
            self.finish()
        self._stream.flush()

    def close(self) -> None:
        """Let out all, such as a last line that has no end; what cannot be written is given up."""
        try:
            self.finish()
            self._stream.flush()
        except OSError:
            self.discard()

    def finish(self) -> None:
        """Let out what is held, such as a last line that has no end."""
        held, self._held = self._held, []
        if not held:
            return
        text = mask("".join(held))
        if self._log:
            text = printable(text.replace("\r\n", "\n").replace("\r", "\n"))
        self._stream.write(text)

    def fileno(self) -> int:
        """What child processes write to."""
        return self._stream.fileno() if self._descriptor is None else self._descriptor

    def discard(self) -> None:
        """Let all that is still written go nowhere."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Log:
    """A stream in which whoever writes begins a line of his own.

    What comes out at the end without a line's end could become a command by what comes next.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_open = False
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Write a text that is not empty."""
        with self._lock:
            self._stream.write(f"\n{text}" if self._is_open else text)
            self._is_open = not text.endswith("\n")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Bytes:
    """What writes bytes to a stream: they go the way of its text."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet

    def write(self, content: Any) -> int:
        data = bytes(content)
        self._outlet.write(data.decode("utf-8", "backslashreplace"))
        return len(data)

    def flush(self) -> None:
        self._outlet.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._outlet, name)
