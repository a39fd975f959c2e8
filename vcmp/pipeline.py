"""The way of the data, from plans to a verdict: evaluate, save, record, compare, decide, report.

Running costs money, concluding is free: `run` leaves files, `conclude` reads nothing else. So a
sweep is concluded the same way at its end, later, on another machine, or with another gate.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vcmp import baselines, evaluation, gates, reports, results, versions
from vcmp.baselines import Wanted
from vcmp.comparison import compare
from vcmp.evaluation import Interrupt
from vcmp.gates import Policy
from vcmp.provider import meter
from vcmp.results import SweepRecord
from vcmp.scorers import adapt, card_of
from vcmp.secrets import scrub
from vcmp.tracking import Capture, MlflowTracker
from vcmp.types import (
    Answerer,
    Conclusion,
    Dataset,
    Evaluation,
    Limits,
    Outcome,
    Plan,
    Result,
    Variant,
    Version,
)

EXIT_CODES: dict[Outcome, int] = {"pass": 0, "fail": 1, "inconclusive": 3, "invalid": 4}
REPORT_FILES = ("report.md", "verdict.json", "junit.xml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Plans that run together, and what to conclude from them."""

    folder: Path
    plans: tuple[Plan, ...]
    folders: tuple[Path, ...]
    """Where each plan leaves its files, in the order of `plans`."""
    limits: Limits
    record: SweepRecord
    tracker: MlflowTracker | None = None
    traced: bool = False
    """Whether the project's code uses MLflow, so that its agents may trace themselves."""
    rerun: tuple[str, ...] = ()
    """Overrides with which another revision is evaluated alike."""


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
) -> tuple[Evaluation, ...]:
    """Run every plan over its dataset, with the OpenAI client's calls metered and retried.

    Args:
        plans: One for each version.
        limits: How many cases at once, how often to try, how long to wait.
        on_result: Called with the plan's position and each result as it finishes.
        interrupt: Remembers a signal that came while the plans ran.

    Returns:
        One evaluation a plan, in their order.
    """
    return _evaluate(
        plans,
        limits or Limits(),
        on_result,
        interrupt or Interrupt(),
        traced="mlflow" in sys.modules,
    )


def _evaluate(
    plans: Sequence[Plan],
    limits: Limits,
    on_result: Callable[[int, Result], None],
    interrupt: Interrupt,
    *,
    traced: bool,
) -> tuple[Evaluation, ...]:
    with (
        meter(limits, interrupt.requested),
        Capture() if traced else nullcontext() as capture,
    ):
        return evaluation.evaluate(
            plans, limits=limits, on_result=on_result, capture=capture, interrupt=interrupt
        )


def run(
    sweep: Sweep,
    *,
    interrupt: Interrupt,
    on_result: Callable[[int, Result], None] = lambda _plan, _result: None,
) -> tuple[Evaluation, ...]:
    """Evaluate a sweep's plans, and leave the files that `conclude_folder` reads.

    The tracking store is tried, and a baseline that lies in it is fetched, before the first call
    that costs money.

    Raises:
        TrackingError: The store cannot be used.
        ConfigError: The baseline is not in it.
        ComparisonError: The recorded baseline was made with other cases or scorers.
    """
    if sweep.tracker:
        sweep.tracker.prepare()
    record = replace(sweep.record, notes=(*sweep.record.notes, *_fetch_baseline(sweep)))
    results.save_record(record, sweep.folder)

    def keep(plan: int, result: Result) -> None:
        results.append(result, sweep.folders[plan])
        on_result(plan, result)

    evaluations = _evaluate(sweep.plans, sweep.limits, keep, interrupt, traced=sweep.traced)
    for done, folder in zip(evaluations, sweep.folders, strict=True):
        results.save(done, folder)
    return evaluations


def _fetch_baseline(sweep: Sweep) -> tuple[str, ...]:
    """Put a baseline from elsewhere beside the sweep's files; the notes say when there is none."""
    wanted = Wanted(name=sweep.record.baseline, plans=sweep.plans, rerun=sweep.rerun)
    baseline, note = baselines.fetch(wanted, sweep.tracker)
    if baseline:
        results.save(baseline, sweep.folder / results.BASELINE)
    return (note,) if note else ()


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
    for folder in sweep.folders:
        done = results.load(folder)
        recorded = sweep.tracker.record(done, folder)
        outcome = outcomes.get(done.version.name)
        tags: dict[str, str] = {"vcmp.verdict": outcome} if outcome else {}
        if done.version.name == conclusion.baseline:
            tags["vcmp.role"] = "baseline"
        sweep.tracker.attach(recorded, reports_of, tags)


def conclude_folder(folder: Path, policy: Policy) -> Conclusion:
    """Compare, decide and rank what a sweep left in `folder`.

    Raises:
        ResultsError: Files are missing or damaged.
        ComparisonError: Versions of the sweep are not comparable.
    """
    record = results.load_record(folder)
    evaluations = results.load_sweep(folder, record)
    outside = results.load_baseline(folder)
    chosen = baselines.choose([e.version.variant for e in evaluations], record.baseline)
    if outside:
        conclusion = conclude(outside, evaluations, policy)
        note = baselines.describe(record.baseline, outside)
    elif chosen and len(evaluations) > 1:
        place, note = chosen
        others = [e for number, e in enumerate(evaluations) if number != place]
        conclusion = conclude(evaluations[place], others, policy)
    else:
        conclusion, note = conclude_alone(evaluations, policy), ""
    return replace(conclusion, baseline_note=note, command=record.command, notes=record.notes)


def conclude_alone(evaluations: Sequence[Evaluation], policy: Policy) -> Conclusion:
    """Judge versions that nothing is compared with, by the rules that need no baseline."""
    verdicts = tuple(gates.decide_alone(evaluation, policy) for evaluation in evaluations)
    return Conclusion(
        evaluations=tuple(evaluations),
        verdicts=verdicts,
        outcome=gates.combine([verdict.outcome for verdict in verdicts]),
        gate=policy.name,
    )


def conclude(baseline: Evaluation, candidates: Sequence[Evaluation], policy: Policy) -> Conclusion:
    """Compare each candidate with the baseline, decide by the policy, and rank them.

    Raises:
        ComparisonError: Two evaluations are not comparable.
    """
    comparisons = [compare(baseline, candidate) for candidate in candidates]
    verdicts = [gates.decide(comparison, policy) for comparison in comparisons]
    order = gates.rank(verdicts, comparisons, policy)
    passed = [
        verdicts[n].variant for n in order if verdicts[n].outcome == "pass" and verdicts[n].findings
    ]
    return Conclusion(
        evaluations=(baseline, *candidates),
        baseline=baseline.version.name,
        comparisons=tuple(comparisons[n] for n in order),
        verdicts=tuple(verdicts[n] for n in order),
        outcome=gates.combine([verdict.outcome for verdict in verdicts]),
        best=passed[0] if passed else "",
        gate=policy.name,
    )


def write_reports(conclusion: Conclusion, folder: Path, *, template: str, limit: int) -> None:
    """Write report.md, verdict.json and junit.xml into the sweep's folder."""
    texts = (
        reports.render(conclusion, template=template, limit=limit),
        reports.verdict_json(conclusion),
        reports.junit(conclusion),
    )
    for name, text in zip(REPORT_FILES, texts, strict=True):
        (folder / name).write_text(scrub(text), encoding="utf-8")


def exit_code(conclusion: Conclusion, policy: Policy) -> int:
    """0 pass or nothing to decide, 1 fail, 3 inconclusive (0 where the policy allows it),
    4 invalid."""
    if conclusion.outcome == "inconclusive" and policy.on_inconclusive == "allow":
        return 0
    return EXIT_CODES[conclusion.outcome]
