"""Work that a file of the project chooses, in a child process that cannot take the machine down.

A template can ask for `"a" * 10**10`, and Python neither stops nor interrupts that. Only the
operating system bounds memory and time for certain. The child is a fork: it has all values of its
parent, starts in milliseconds, and hands back text alone.
"""

import os
import resource
import selectors
import signal
import sys
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from vcmp.errors import ConfigError

CPU_S = 2
"""Seconds of computing that the work may take."""
DEADLINE_S = 20.0
"""Seconds after which it is ended in any case: a busy machine computes slowly."""
MEMORY = 512 * 1024 * 1024
"""Bytes that it may take beyond what the parent has."""
_ADVICE = "Make it simpler."


def run_confined(work: Callable[[], str], where: str) -> str:
    """What `work` gives, when it keeps within the limits.

    Args:
        work: Runs in the child; what it changes is lost.
        where: What messages begin with.

    Raises:
        ConfigError: `work` raised one, or took too much time or memory.
    """
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the provider's thread only waits
        child = os.fork()
    if not child:
        _work(work, where, writing)
    os.close(writing)
    ended = False
    try:
        said = _read(reading, time.monotonic() + DEADLINE_S)
        ended = said is not None
    finally:
        os.close(reading)
        if not ended:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    if not said or status:
        raise ConfigError(f"{where}: takes more than {CPU_S} seconds of computing. {_ADVICE}")
    return _understand(said[:1], said[1:].decode("utf-8", "surrogatepass"), where)


def _understand(outcome: bytes, text: str, where: str) -> str:
    if outcome == b"m":
        raise ConfigError(f"{where}: takes more than {MEMORY // 2**20} MB. {_ADVICE}")
    if outcome == b"-":
        raise ConfigError(text)
    return text


def _work(work: Callable[[], str], where: str, writing: int) -> None:
    """The whole life of the child; it leaves without the parent's clean-up."""
    try:
        _limit()
        try:
            said = "+" + work()
        except ConfigError as error:
            said = f"-{error}"
        except MemoryError:
            said = "m"
        except Exception as error:
            said = f"-{where}: {type(error).__name__}: {error}"
        with open(writing, "wb") as pipe:
            pipe.write(said.encode("utf-8", "surrogatepass"))
    finally:
        os._exit(0)


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends it
    sizes = Path("/proc/self/statm")
    if sys.platform == "linux" and sizes.exists():
        taken = int(sizes.read_text().split()[0]) * resource.getpagesize()
        with suppress(ValueError):  # a lower limit is in force
            resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))


def _read(reading: int, deadline: float) -> bytes | None:
    """All that comes through the pipe; None when it comes too late."""
    parts: list[bytes] = []
    with selectors.DefaultSelector() as selector:
        selector.register(reading, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            part = os.read(reading, 65_536)
            if not part:
                return b"".join(parts)
            parts.append(part)
    return None
