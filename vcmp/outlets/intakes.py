"""What is written to a file descriptor past Python's streams: by child processes, C libraries."""

import codecs
import os
import threading
from contextlib import suppress

from vcmp.outlets.streams import Outlet

CHUNK = 65_536
PATIENCE_S = 0.5
"""Seconds to wait, at the end, for what those still write that hold the descriptor open."""


class Intake:
    """Takes in all that is written to a descriptor, from its start until it is closed.

    The descriptor becomes a pipe that children inherit. Those that still write to it when this
    process has ended write to nobody.

    Args:
        descriptor: That of stdout or of stderr.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._process = os.getpid()
        self.kept = os.dup(descriptor)
        """Where it has led to; no child inherits this one."""

    def start(self, outlet: Outlet) -> None:
        """Let it lead to an outlet."""
        pipe, end = os.pipe()
        os.dup2(end, self._descriptor)
        os.close(end)
        self._reader = threading.Thread(
            target=_pass_on, args=[pipe, outlet], name="vcmp-intake", daemon=True
        )
        self._reader.start()

    def close(self) -> None:
        """Pass on what is left, and let the descriptor lead to where it did."""
        if os.getpid() == self._process:  # a fork has no thread that reads
            os.dup2(self.kept, self._descriptor)
            self._reader.join(PATIENCE_S)


def _pass_on(pipe: int, outlet: Outlet) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    while content := os.read(pipe, CHUNK):
        with suppress(OSError):  # nobody reads it any more, and a child is not to wait for that
            outlet.write(decoder.decode(content))
            outlet.flush()
    with suppress(OSError):
        outlet.write(decoder.decode(b"", final=True))
        outlet.close()
