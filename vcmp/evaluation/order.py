"""The order in which cases are evaluated, look by look."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from vcmp.types import Case, Plan, prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks:
    """Planned looks at an evaluation that may end early."""

    planned: int = 1
    """Look k sees the first k of so many equal parts of the cases."""
    wanted: Callable[[], Collection[int]] = tuple
    """The positions of the plans of which further cases are needed; asked after each look but the
    last, when all that it sees is there."""


ALL_AT_ONCE = Looks()


def schedule(
    plans: Sequence[Plan], look: int = 1, looks: int = 1
) -> Iterator[tuple[int, Case, int]]:
    """(position of the plan, case, repeat) in the order in which to start what a look adds.

    Repeats are outermost and versions innermost; the cases of one dataset come in the same seeded
    random order for every version and whatever their order in the file.
    """
    jobs: list[tuple[int, int, int, Case]] = []
    for number, plan in enumerate(plans):
        cases = plan.dataset.shuffled(plan.seed)
        added = range(prefix(len(cases), look - 1, looks), prefix(len(cases), look, looks))
        for repeat in range(plan.repeats):
            jobs += [(repeat, place, number, cases[place]) for place in added]
    jobs.sort(key=lambda job: job[:3])
    return ((number, case, repeat) for repeat, _, number, case in jobs)
