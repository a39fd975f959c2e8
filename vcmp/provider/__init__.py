"""Who answers the agent: a provider is entered for the length of a run.

While entered it points `OPENAI_BASE_URL`, `OPENAI_API_BASE` and `OPENAI_API_KEY` at its address, so
that unchanged code of the openai SDK (and MLflow's judges, which prefer `OPENAI_API_BASE`) reaches
it; on leaving, the environment is as it was.
"""

from typing import Protocol, Self

from vcmp.provider.metering import StoppedError, meter
from vcmp.provider.recording import Record, Replay
from vcmp.provider.remote import Compatible, OpenAI
from vcmp.provider.scripted import Scripted
from vcmp.types import Answerer

__all__ = [
    "Compatible",
    "OpenAI",
    "Provider",
    "Record",
    "Replay",
    "Scripted",
    "StoppedError",
    "meter",
]


class Provider(Protocol):
    """A file in `conf/provider` names one; calls are possible while it is entered."""

    @property
    def answerer(self) -> Answerer:
        """Who answers while this is entered."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *_exception: object) -> None: ...
