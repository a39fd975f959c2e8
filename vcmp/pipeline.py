"""What costs money: evaluate plans, and keep every result in files."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vcmp import baselines, canaries, evaluation, pairwise, recording, results, versions
from vcmp.baselines import Wanted
from vcmp.canaries import Ask
from vcmp.conclusions import Field, field_of
from vcmp.errors import TrackingError
from vcmp.evaluation import Interrupt, Looks
from vcmp.gates import Policy
from vcmp.looks import Watch
from vcmp.pairwise import Contest
from vcmp.provider import meter
from vcmp.results import SweepRecord
from vcmp.scorers import adapt, card_of
from vcmp.tracking import Capture, MlflowTracker
from vcmp.types import (
    Answerer,
    Budget,
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
    known_bad: Mapping[str, str | None] | None = None,
) -> Plan:
    """Make a plan from plain Python objects, without a configuration.

    Args:
        agent: Called with a case's inputs as keywords; sync or async.
        dataset: The cases.
        scorers: By metric name; anything `vcmp.scorers.adapt` takes.
        variant: Name and parameters of this configuration of the agent.
        app: Begins the version's name.
        known_bad: By metric, an answer that the judge must call bad, instead of the usual one; None
            for a judge that is to be believed untried.

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
        known_bad=known_bad or {},
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

    Scorers that ask a model are shown a known-bad answer first; one that calls it good is not asked
    again, and its scores are missing.

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
    traced = "mlflow" in sys.modules

    def ask(questions: Sequence[Plan]) -> tuple[Evaluation, ...]:
        return _evaluate(questions, limits, _unheard, interrupt, traced=traced)

    with meter(limits, interrupt, budget):
        heeding = canaries.heed(plans, ask)
        return _evaluate(heeding, limits, on_result, interrupt, traced=traced)


def _unheard(_plan: int, _result: Result) -> None:
    """For results that nobody waits for."""


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
        TrackingError: The store cannot be used, and the sweep needs it.
        ConfigError: The baseline or an anchor is not in it.
        ComparisonError: They were made with other cases or scorers.
    """
    record = _gather(sweep)
    if not _has_baseline(sweep):
        record = replace(record, notes=(*record.notes, *pairwise.unasked(sweep.plans)))
    results.save_record(record, sweep.folder)
    with meter(sweep.limits, interrupt, sweep.budget):
        evaluations = _evaluate_all(sweep, interrupt, follow)
        if any(plan.pairwise for plan in sweep.plans) and not interrupt.requested():
            contests = _open_contests(sweep, evaluations, _asking(sweep, interrupt))
            _hold(contests, sweep, interrupt, follow)
    if interrupt.reason:  # also of what came after the last result
        evaluations = tuple(replace(done, stopped=interrupt.reason) for done in evaluations)
        for done, folder in zip(evaluations, sweep.folders, strict=True):
            results.save(done, folder)
    return evaluations


def _evaluate_all(sweep: Sweep, interrupt: Interrupt, follow: Follow) -> tuple[Evaluation, ...]:
    plans = _heed(sweep, interrupt)
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

        evaluations = _evaluate(
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


def _heed(sweep: Sweep, interrupt: Interrupt) -> tuple[Plan, ...]:
    """The sweep's plans without void judges; what an earlier run of the sweep found out counts."""
    known = results.load_canaries(sweep.folder) if sweep.known else ()
    plans = canaries.heed(sweep.plans, _asking(sweep, interrupt), known)
    results.save_canaries([each for plan in plans for each in plan.canaries], sweep.folder)
    return plans


def _asking(sweep: Sweep, interrupt: Interrupt) -> Ask:
    """How the sweep's judges are asked what they make of a known-bad answer."""

    def ask(plans: Sequence[Plan]) -> tuple[Evaluation, ...]:
        return _evaluate(plans, sweep.limits, _unheard, interrupt, traced=sweep.traced)

    return ask


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


def _open_contests(sweep: Sweep, evaluations: Sequence[Evaluation], ask: Ask) -> list[Contest]:
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


def _gather(sweep: Sweep) -> SweepRecord:
    """Put what the sweep is judged with, and has not to be run, beside its files."""
    try:
        if sweep.tracker:
            sweep.tracker.prepare()
        return _fetch(sweep, sweep.record, sweep.tracker)
    except TrackingError as error:
        return _fetch(sweep, _without_store(error, sweep), None)


def _fetch(sweep: Sweep, record: SweepRecord, tracker: MlflowTracker | None) -> SweepRecord:
    if sweep.known:
        return record  # what an earlier run of the sweep gathered is what this one is judged with
    gathered = baselines.gather(_wanted(sweep), tracker)
    return replace(
        record,
        anchor_folders=gathered.save(sweep.folder, sweep.folders),
        notes=(*record.notes, *gathered.notes),
    )


def _wanted(sweep: Sweep) -> Wanted:
    record = sweep.record
    return Wanted(
        plans=sweep.plans,
        baseline=record.baseline,
        anchors=record.anchors,
        rerun=sweep.rerun,
        pool=sweep.pool,
        failed_limit=record.policy.get("missing_limit", 0.10),
    )


def _without_store(error: TrackingError, sweep: Sweep) -> SweepRecord:
    """The record of a sweep that goes on without its store; raises the error where it may not."""
    if not sweep.tracker or sweep.tracker.required:
        raise error
    record = replace(sweep.record, unrecorded=recording.unrecorded(error, sweep.folder))
    if sweep.known:
        return record
    missing = baselines.only_recorded(_wanted(sweep))
    if missing:
        raise TrackingError(
            f"{str(error).splitlines()[0]}\n"
            f"  {missing!r}, which is to be compared with, lies only there: start it, add"
            f" agent={missing},…\n  or compare with nothing (baseline=null)."
        ) from error
    pooled = ("earlier runs of these versions lie in the store, and are not pooled",)
    return replace(record, notes=(*record.notes, *(pooled if sweep.pool else ())))
