"""Every error that is the user's to mend, on one screen.

A message says where, what and what to do, in at most three lines:
`<where, as the user would name it>: <what, with the value quoted>. <what to do>`.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class Terminated(KeyboardInterrupt):
    """SIGTERM came. Not SystemExit, which is how agents and libraries give up by themselves."""


class VcmpError(Exception):
    """Something the user can mend; its text is shown without a traceback."""

    exit_code = 2


class ConfigError(VcmpError):
    """A configuration cannot be composed or built."""


class DatasetError(VcmpError):
    """A dataset cannot be read."""


class VersionError(VcmpError):
    """The revision of the project cannot be determined."""


class TrackingError(VcmpError):
    """The tracking store cannot be reached, read or written."""


class ResultsError(VcmpError):
    """Result files are missing or cannot be read."""


class StorageError(VcmpError):
    """A result cannot be written: the disk is full, or is not ours to write."""

    exit_code = 4


class EvaluationError(VcmpError):
    """An evaluation came to an end that says nothing about its versions."""

    exit_code = 4


class ComparisonError(VcmpError):
    """Two evaluations are not comparable."""

    exit_code = 4


def suggest(name: str, known: Iterable[str]) -> str:
    """` Did you mean 'x'?` with the known name nearest to `name`; "" when none is near."""
    close = get_close_matches(name, list(known), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
