"""A sweep: plans that run together, and who follows it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from vcmp.evaluation import OnResult
from vcmp.gates import Policy
from vcmp.results import SweepRecord
from vcmp.tracking import MlflowTracker
from vcmp.types import Budget, Limits, Plan, Result

Follow = Callable[[int, str], AbstractContextManager[OnResult]]
"""Shows the progress of a number of results: called with it and with what is being done, it gives
the function to call with each plan's position and each result as it finishes."""


@contextmanager
def unseen(_total: int, _doing: str) -> Iterator[OnResult]:
    """Follow a sweep that nobody watches."""
    yield unheard


def unheard(_plan: int, _result: Result) -> None:
    """For results that nobody waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Plans that run together, and what to conclude from them."""

    folder: Path
    plans: tuple[Plan, ...]
    folders: tuple[Path, ...]
    """Where each plan leaves its files, in the order of `plans`."""
    limits: Limits
    record: SweepRecord
    budget: Budget = field(default_factory=Budget)
    """What all its calls together may take."""
    payer: Path | None = None
    """The folder of the sweep in whose budget it is, if that is not its own."""
    policy: Policy | None = None
    """The gate, which may decide before all cases are evaluated."""
    tracker: MlflowTracker | None = None
    traced: bool = False
    """Whether the project's code uses MLflow, so that its agents may trace themselves."""
    rerun: tuple[str, ...] = ()
    """Overrides with which another revision is evaluated alike."""
    pool: bool = True
    """Whether a run adds to the recorded ones of its versions."""
    known: tuple[Mapping[str, Result], ...] = ()
    """Where it goes on with an earlier run: by plan, what that left, by key."""

    @property
    def gathered(self) -> bool:
        """Whether an earlier run has gathered all that this one is judged with."""
        return bool(self.known) and not self.record.gathering
