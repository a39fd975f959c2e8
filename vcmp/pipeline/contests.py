"""The pairwise judges, who are asked once the outputs that they compare are there."""

from collections.abc import Sequence

from vcmp import baselines, pairwise, results
from vcmp.canaries import Ask
from vcmp.conclusions import field_of
from vcmp.evaluation import Interrupt
from vcmp.pairwise import Contest
from vcmp.pipeline.asking import evaluate_plans
from vcmp.pipeline.sweeps import Follow, Sweep
from vcmp.types import Evaluation, Result


def has_baseline(sweep: Sweep) -> bool:
    """Whether there is something to compare outputs with."""
    variants = [plan.version.variant for plan in sweep.plans]
    own = len(variants) > 1 and baselines.choose(variants, sweep.record.baseline) is not None
    return own or (sweep.folder / results.BASELINE).is_dir()


def open_contests(sweep: Sweep, evaluations: Sequence[Evaluation], ask: Ask) -> list[Contest]:
    """One contest for each pairwise judge and candidate; none where there is no baseline."""
    outside = results.load_baseline(sweep.folder)
    field, _ = field_of(evaluations, sweep.record.baseline, outside)
    if field is None:
        return []
    candidates = [
        pairwise.Candidate(plan=plan, evaluation=done, folder=folder)
        for plan, done, folder in zip(sweep.plans, evaluations, sweep.folders, strict=True)
        if done is not field.baseline
    ]
    return pairwise.open_contests(field.baseline, candidates, ask)


def hold(contests: Sequence[Contest], sweep: Sweep, interrupt: Interrupt, follow: Follow) -> None:
    """Ask the pairwise judges, for as many pairs at once as cases, and keep what they say."""
    plans = [contest.round.plan for contest in contests]
    total = sum(len(plan.dataset.cases) for plan in plans)
    if not total:
        return
    with follow(total, "comparing") as tick:

        def keep(contest: int, result: Result) -> None:
            contests[contest].keep(result)
            tick(contest, result)

        evaluate_plans(plans, sweep.limits, keep, interrupt, traced=sweep.traced)
