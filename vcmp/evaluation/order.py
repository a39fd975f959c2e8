"""The order in which cases are evaluated."""

from collections.abc import Iterator, Sequence

from vcmp.types import Case, Plan, prefix


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
