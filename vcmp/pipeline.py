"""What costs money: evaluate plans, keep every result in files, and record them in the store."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vcmp import baselines, evaluation, pairwise, results, versions
from vcmp.baselines import Wanted
from vcmp.conclusions import REPORT_FILES, Field, field_of
from vcmp.evaluation import Interrupt, Looks
from vcmp.gates import Policy
from vcmp.looks import Watch
from vcmp.pairwise import Contest
from vcmp.provider import meter
from vcmp.results import SweepRecord
from vcmp.scorers import adapt, card_of
from vcmp.tracking import BEST_OF, Capture, MlflowTracker
from vcmp.types import (
    Answerer,
    Budget,
    Conclusion,
    Dataset,
    Evaluation,
    Limits,
    Plan,
    Result,
    Variant,
    Version,
)

Tick = Callable[[int, Result], None]
Follow = Callable[[int, str], AbstractContextManager[Tick]]
"""Shows the progress of a number of results: called with it and with what is being done, it gives
the function to call with each plan's position and each result as it finishes."""


@contextmanager
def _unseen(_total: int, _doing: str) -> Iterator[Tick]:
    yield lambda _plan, _result: None


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


def build_plan(
    agent: Callable[..., Any],
    dataset: Dataset,
    scorers: Mapping[str, Callable[..., Any]],
    *,
    variant: Variant,
    app: str = "agent",
) -> Plan:
    """Make a plan from plain Python objects, without a configuration.

    Args:
        agent: Called with a case's inputs as keywords; sync or async.
        dataset: The cases.
        scorers: By metric name; anything `vcmp.scorers.adapt` takes.
        variant: Name and parameters of this configuration of the agent.
        app: Begins the version's name.

    Raises:
        ConfigError: A scorer needs something that there is not.
        VersionError: Git refuses to say what revision this is.
    """
    revision, _ = versions.describe(Path.cwd())
    name = versions.name(app, variant.name, revision)
    return Plan(
        version=Version(name=name, app=app, variant=variant, revision=revision),
        agent=agent,
        dataset=dataset,
        scorers={metric: adapt(scorer) for metric, scorer in scorers.items()},
        cards={metric: card_of(scorer) for metric, scorer in scorers.items()},
        answerer=Answerer(name="python", description="the agent as it was given"),
    )


def evaluate(
    plans: Sequence[Plan],
    *,
    limits: Limits | None = None,
    on_result: Callable[[int, Result], None] = lambda _plan, _result: None,
    interrupt: Interrupt | None = None,
    budget: Budget | None = None,
) -> tuple[Evaluation, ...]:
    """Run every plan over its dataset, with the OpenAI client's calls metered and retried.

    Args:
        plans: One for each version.
        limits: How many cases at once, how often to try, how long to wait.
        on_result: Called with the plan's position and each result as it finishes.
        interrupt: Remembers a signal that came while the plans ran, or why they were stopped.
        budget: What all calls together may take.

    Returns:
        One evaluation a plan, in their order.
    """
    limits, interrupt = limits or Limits(), interrupt or Interrupt()
    with meter(limits, interrupt, budget):
        return _evaluate(plans, limits, on_result, interrupt, traced="mlflow" in sys.modules)


def _evaluate(
    plans: Sequence[Plan],
    limits: Limits,
    on_result: Callable[[int, Result], None],
    interrupt: Interrupt,
    *,
    traced: bool,
    looks: Looks | None = None,
    known: Mapping[str, Result] | None = None,
    journal: results.Journal | None = None,
) -> tuple[Evaluation, ...]:
    with Capture() if traced else nullcontext() as capture:
        return evaluation.evaluate(
            plans,
            limits=limits,
            on_result=on_result,
            capture=capture,
            interrupt=interrupt,
            looks=looks or Looks(),
            known=known,
            journal=journal,
        )


def run(sweep: Sweep, *, interrupt: Interrupt, follow: Follow = _unseen) -> tuple[Evaluation, ...]:
    """Evaluate a sweep's plans, and leave the files that `conclude_folder` reads.

    Pairwise judges are asked last, once the outputs that they compare are there.

    The tracking store is tried, and what lies in it is fetched, before the first call that costs
    money: baseline, anchors, and earlier runs of the same versions.

    Raises:
        TrackingError: The store cannot be used.
        ConfigError: The baseline or an anchor is not in it.
        ComparisonError: They were made with other cases or scorers.
    """
    if sweep.tracker:
        sweep.tracker.prepare()
    # what an earlier run of the sweep gathered is what this one is judged with
    record = sweep.record if sweep.known else _gather(sweep)
    if not _has_baseline(sweep):
        record = replace(record, notes=(*record.notes, *pairwise.unasked(sweep.plans)))
    results.save_record(record, sweep.folder)
    with meter(sweep.limits, interrupt, sweep.budget):
        evaluations = _evaluate_all(sweep, interrupt, follow)
        if any(plan.pairwise for plan in sweep.plans) and not interrupt.requested():
            _hold(_open_contests(sweep, evaluations), sweep, interrupt, follow)
    if interrupt.reason:  # also of what came after the last result
        evaluations = tuple(replace(done, stopped=interrupt.reason) for done in evaluations)
        for done, folder in zip(evaluations, sweep.folders, strict=True):
            results.save(done, folder)
    return evaluations


def _evaluate_all(sweep: Sweep, interrupt: Interrupt, follow: Follow) -> tuple[Evaluation, ...]:
    journal = results.Journal(sweep.folders)
    watch = _watch(sweep)
    finished = _take_up(sweep, watch)
    total = sum(len(plan.dataset.cases) * plan.repeats for plan in sweep.plans) - len(finished)
    with follow(total, "evaluating") as tick:

        def keep(plan: int, result: Result) -> None:
            results.append(result, sweep.folders[plan])
            tick(plan, result)
            if watch:
                watch.add(plan, result)

        evaluations = _evaluate(
            sweep.plans,
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


def _has_baseline(sweep: Sweep) -> bool:
    variants = [plan.version.variant for plan in sweep.plans]
    own = len(variants) > 1 and baselines.choose(variants, sweep.record.baseline) is not None
    return own or (sweep.folder / results.BASELINE).is_dir()


def _open_contests(sweep: Sweep, evaluations: Sequence[Evaluation]) -> list[Contest]:
    outside = results.load_baseline(sweep.folder)
    field, _ = field_of(evaluations, sweep.record.baseline, outside)
    if field is None:
        return []
    candidates = [
        pairwise.Candidate(plan=plan, evaluation=done, folder=folder)
        for plan, done, folder in zip(sweep.plans, evaluations, sweep.folders, strict=True)
        if done is not field.baseline
    ]
    return pairwise.open_contests(field.baseline, candidates)


def _hold(contests: Sequence[Contest], sweep: Sweep, interrupt: Interrupt, follow: Follow) -> None:
    """Ask the pairwise judges, for as many pairs at once as cases, and keep what they say."""
    plans = [contest.round.plan for contest in contests]
    total = sum(len(plan.dataset.cases) for plan in plans)
    if not total:
        return
    with follow(total, "comparing") as tick:

        def keep(contest: int, result: Result) -> None:
            contests[contest].keep(result)
            tick(contest, result)

        _evaluate(plans, sweep.limits, keep, interrupt, traced=sweep.traced)


def _watch(sweep: Sweep) -> Watch | None:
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

    return Watch(sweep.plans, policy, field)


def _gather(sweep: Sweep) -> SweepRecord:
    """Put what the sweep is judged with, and has not to be run, beside its files."""
    record = sweep.record
    wanted = Wanted(
        plans=sweep.plans,
        baseline=record.baseline,
        anchors=record.anchors,
        rerun=sweep.rerun,
        pool=sweep.pool,
        failed_limit=record.policy.get("missing_limit", 0.10),
    )
    gathered = baselines.gather(wanted, sweep.tracker)
    return replace(
        record,
        anchor_folders=gathered.save(sweep.folder, sweep.folders),
        notes=(*record.notes, *gathered.notes),
    )


def record(conclusion: Conclusion, sweep: Sweep) -> None:
    """Record every evaluation of a concluded sweep, its reports and verdict, in the store.

    What is recorded is what lies in the files, where no secret is.

    Raises:
        TrackingError: The store failed; files and reports are complete.
    """
    if not sweep.tracker:
        return
    # where no rule was asked nothing has passed
    outcomes = {v.candidate: v.outcome for v in conclusion.verdicts if v.findings}
    reports_of = [sweep.folder / name for name in REPORT_FILES]
    n_candidates = len(conclusion.comparisons)
    for folder in sweep.folders:
        done = results.load(folder)
        recorded = sweep.tracker.record(done, folder)
        outcome = outcomes.get(done.version.name)
        tags: dict[str, str] = {"vcmp.verdict": outcome} if outcome else {}
        if done.version.name == conclusion.baseline:
            tags["vcmp.role"] = "baseline"
        if n_candidates > 1 and done.version.variant.name == conclusion.best:
            tags[BEST_OF] = str(n_candidates)
        sweep.tracker.attach(recorded, reports_of, tags)
