"""The order in which cases are evaluated."""

from collections.abc import Iterator, Sequence

from vcmp.types import Case, Plan


def schedule(plans: Sequence[Plan], looks: int = 1) -> Iterator[tuple[int, Case, int]]:
    """(position of the plan, case, repeat) in the order in which to start them.

    Planned looks are outermost, then repeats, and versions innermost; the cases of one dataset come
    in the same seeded random order for every version and whatever their order in the file.
    """
    jobs: list[tuple[int, int, int, int, Case]] = []
    for number, plan in enumerate(plans):
        cases = plan.dataset.shuffled(plan.seed)
        for repeat in range(plan.repeats):
            jobs += [
                (place * looks // len(cases), repeat, place, number, case)
                for place, case in enumerate(cases)
            ]
    jobs.sort(key=lambda job: job[:4])
    return ((number, case, repeat) for _, repeat, _, number, case in jobs)
