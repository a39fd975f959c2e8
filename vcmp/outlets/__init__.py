"""stdout and stderr without secrets, and in a log without commands, whoever writes to them.

An agent may print its headers or what a model said, token by token; what goes wrong in a thread of
its own is printed by Python; and a tool that it starts prints what it likes. So the two streams are
the last place where a secret is looked for, and where a command of a CI system is made a harmless
line. A line that is written in pieces is looked at as a whole. In a log this holds for the file
descriptors too, and so for child processes; a terminal is theirs.
"""

import atexit
import os
import sys
from typing import TextIO

from vcmp.outlets.intakes import Intake
from vcmp.outlets.streams import Log, Outlet

__all__ = ["Outlet", "close_outlets", "discard_output", "guard_outlets"]

_GUARDS: list[Intake | Outlet] = []


def guard_outlets() -> None:
    """Put an outlet before stdout and stderr for the rest of the process."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is not None and not isinstance(stream, Outlet):
            outlet = _guard(stream)
            for each in (name, f"__{name}__"):
                setattr(sys, each, outlet)
    atexit.register(close_outlets)


def close_outlets() -> None:
    """Let out what is held, and let the descriptors lead to where they did.

    It is for the end of the process, and before another program takes its place.
    """
    while _GUARDS:
        _GUARDS.pop().close()


def discard_output() -> None:
    """Let what is still printed go nowhere: nobody reads it any more."""
    if isinstance(sys.stdout, Outlet):
        sys.stdout.discard()


def _guard(stream: TextIO) -> Outlet:
    if stream.isatty():
        outlet = Outlet(stream)
    else:
        stream.flush()
        intake = Intake(stream.fileno())
        kept = Log(os.fdopen(intake.kept, "w", encoding=stream.encoding, errors="backslashreplace"))
        outlet = Outlet(kept, stream.fileno())
        intake.start(Outlet(kept))
        _GUARDS.append(intake)
    _GUARDS.append(outlet)
    return outlet
