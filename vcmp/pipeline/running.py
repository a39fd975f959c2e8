"""A sweep from its first call to its last file."""

from collections.abc import Sequence
from dataclasses import replace

from vcmp import canaries, evaluation, pairwise, results
from vcmp.canaries import Ask
from vcmp.conclusions import Field, field_of
from vcmp.evaluation import Interrupt
from vcmp.looks import Watch
from vcmp.pipeline.asking import asking, evaluate_plans
from vcmp.pipeline.contests import has_baseline, hold, open_contests
from vcmp.pipeline.gathering import gather
from vcmp.pipeline.sweeps import Follow, Sweep, unseen
from vcmp.provider import meter
from vcmp.types import Evaluation, Plan, Result


def run(sweep: Sweep, *, interrupt: Interrupt, follow: Follow = unseen) -> tuple[Evaluation, ...]:
    """Evaluate a sweep's plans, and leave the files that `conclude_folder` reads.

    Pairwise judges are asked last, once the outputs that they compare are there.

    The tracking store is tried, and what lies in it is fetched, before the first call that costs
    money: baseline, anchors, and earlier runs of the same versions.

    Raises:
        TrackingError: The store cannot be used, and the sweep needs it.
        ConfigError: The baseline or an anchor is not in it.
        ComparisonError: They were made with other cases or scorers.
    """
    record = gather(sweep)
    if not has_baseline(sweep):
        record = replace(record, notes=(*record.notes, *pairwise.unasked(sweep.plans)))
    results.save_record(record, sweep.folder)
    results.remove_revisions(sweep.folder)
    ask = asking(sweep.limits, interrupt, traced=sweep.traced)
    ledger = results.Ledger(sweep.payer or sweep.folder)
    with meter(sweep.limits, interrupt, sweep.budget, ledger):
        evaluations = _evaluate_all(sweep, _heed(sweep, ask), interrupt, follow)
        if any(plan.pairwise for plan in sweep.plans) and not interrupt.requested():
            contests = open_contests(sweep, evaluations, ask)
            hold(contests, sweep, interrupt, follow)
    if interrupt.reason:  # also of what came after the last result
        evaluations = tuple(replace(done, stopped=interrupt.reason) for done in evaluations)
        for done, folder in zip(evaluations, sweep.folders, strict=True):
            results.save(done, folder)
    if not interrupt.requested() and not sweep.payer:
        ledger.close()
    return evaluations


def _evaluate_all(
    sweep: Sweep, plans: Sequence[Plan], interrupt: Interrupt, follow: Follow
) -> tuple[Evaluation, ...]:
    journal = results.Journal(sweep.folders)
    watch = _watch(sweep, plans)
    finished = _take_up(sweep, watch)
    total = sum(len(plan.dataset.cases) * plan.repeats for plan in sweep.plans) - len(finished)
    with follow(total, "evaluating") as tick:

        def keep(plan: int, result: Result) -> None:
            results.append(result, sweep.folders[plan])
            tick(plan, result)
            if watch:
                watch.add(plan, result)

        evaluations = evaluate_plans(
            plans,
            sweep.limits,
            keep,
            interrupt,
            traced=sweep.traced,
            looks=watch.looks() if watch else None,
            known={key: result for known in sweep.known for key, result in known.items()},
            journal=journal,
        )
    for done, folder in zip(evaluations, sweep.folders, strict=True):
        results.save(done, folder)
    if not interrupt.requested():
        journal.close()
    return evaluations


def _heed(sweep: Sweep, ask: Ask) -> tuple[Plan, ...]:
    """The sweep's plans without void judges; what an earlier run of the sweep found out counts."""
    known = results.load_canaries(sweep.folder) if sweep.known else ()
    plans = canaries.heed(sweep.plans, ask, known)
    results.save_canaries([each for plan in plans for each in plan.canaries], sweep.folder)
    return plans


def _take_up(sweep: Sweep, watch: Watch | None) -> list[Result]:
    """Clean the files that an earlier run left, and give the results that it finished."""
    every: list[Result] = []
    for number, (plan, known) in enumerate(zip(sweep.plans, sweep.known, strict=False)):
        finished = [result for result in known.values() if evaluation.is_finished(result, plan)]
        answers = [result for result in known.values() if result not in finished]
        results.save_unfinished(finished, answers, sweep.folders[number])
        for result in finished:
            if watch:
                watch.add(number, result)
        every += finished
    return every


def _watch(sweep: Sweep, plans: Sequence[Plan]) -> Watch | None:
    """Who looks at the results as they come, where the gate plans to."""
    policy = sweep.policy
    if policy is None or policy.looks == 1:
        return None
    outside = results.load_baseline(sweep.folder)
    earlier = [results.load_earlier(folder) for folder in sweep.folders]

    def field(evaluations: Sequence[Evaluation]) -> Field | None:
        pooled = [results.pool(e, more) for e, more in zip(evaluations, earlier, strict=True)]
        anchors = results.load_anchors(sweep.folder, pooled)
        return field_of(pooled, sweep.record.baseline, outside, anchors)[0]

    return Watch(plans, policy, field)
