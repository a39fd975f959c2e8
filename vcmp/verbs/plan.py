"""`vcmp plan`: what a run would take, and whether it could decide anything."""

import argparse
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vcmp.console import make_console, told_cost
from vcmp.errors import ConfigError
from vcmp.project import enter_project, folder_overrides
from vcmp.screening import arrange

if TYPE_CHECKING:
    from rich.console import Console

    from vcmp.pipeline import Sweep
    from vcmp.prospects import Chance, Known, Occasion, Reach, World

NOWHERE = "http://127.0.0.1:9/v1"
"""Port 9 discards: an agent that calls while it is built reaches nobody."""
FLIPS = (0.0, 0.05, 0.10, 0.20)
TYPICAL = 0.10
"""Of these, the share of flipping cases that the sentence is about."""
WANTED = 0.8


def run(options: list[str], overrides: list[str]) -> int:
    """Build everything as the main job would, send nothing, and say how many calls it would take,
    whether the gate could pass, and how likely it would come to a verdict."""
    parser = argparse.ArgumentParser(prog="vcmp plan", description=run.__doc__)
    parser.add_argument("-m", "--multirun", action="store_true", help="plan a sweep: agent=a,b")
    multirun = ["--multirun"] if parser.parse_args(options).multirun else []
    sweep = plan(arrange([*multirun, *overrides]))
    show(sweep, make_console())
    return 0


def plan(arranged: Sequence[str]) -> "Sweep":
    """The sweep that the main job would run, without key, network or files.

    Raises:
        ConfigError: The main job would refuse it.
    """
    conf = enter_project(arranged)
    from vcmp import tracking
    from vcmp.composition import compose
    from vcmp.config import plan_sweep, settle
    from vcmp.provider.environment import openai_environment

    with tempfile.TemporaryDirectory() as folder:
        jobs = compose([*arranged, *folder_overrides(Path(folder))], conf=conf)
        if not jobs:
            raise ConfigError("hydra/launcher: takes the jobs to other processes. Remove it.")
        settings = settle(jobs, project=Path.cwd(), command="")
        tracking.set_defaults()
        if settings.tracker:
            settings.tracker.set_environment()
        with openai_environment(NOWHERE, "nothing-is-sent"):
            return plan_sweep(settings, Path(folder))


def show(sweep: "Sweep", console: "Console") -> None:
    """Print calls, what each rule can reach, and the chance of a verdict.

    Raises:
        ConfigError: The policy cannot pass at any result.
    """
    from vcmp import prospects

    assert sweep.policy is not None
    baseline, anchors = sweep.record.baseline, sweep.record.anchors
    occasion = prospects.foresee(sweep.plans, sweep.policy, baseline, anchors)
    for note in sweep.record.notes:
        console.print(f"note: {note}", markup=False)
    known = prospects.recall(sweep.plans, baseline, sweep.tracker)
    for line in _calls(sweep, occasion, known):
        console.print(line, markup=False)
    console.print()
    found = prospects.reaches(occasion)
    for line in _rules(found, occasion):
        console.print(line, markup=False)
    why = prospects.barred(found, occasion)
    if why:
        mend = "Add cases, or ask for less" if " takes " in why else "Mend the rule"
        raise ConfigError(f"{why}.\n  {mend} in gate={sweep.policy.name}.")
    if any(reach.passes for reach in found):
        console.print()
        for line in _chances(known, occasion.known()):
            console.print(line, markup=False)


def _calls(sweep: "Sweep", occasion: "Occasion", known: "Known") -> Iterator[str]:
    from vcmp import prospects

    plans = sweep.plans
    yield f"nothing is sent; it would be answered by: {plans[0].answerer.description}"
    n, repeats = len(plans), plans[0].repeats
    yield (
        f"{_count(n, 'version')} × {prospects.counted_cases(occasion.cases)}"
        f" × {_count(repeats, 'repeat')} = {prospects.agent_calls(plans):,} agent calls at least"
    )
    if sweep.record.baseline.startswith("git:"):
        yield f"and as many as of one version for the baseline, {sweep.record.baseline}"
    n_candidates = 0 if occasion.alone else occasion.n_candidates
    asked = prospects.judge_calls(plans, n_candidates)
    tried = sum(prospects.canary_calls(plans[0], n_candidates).values())
    told = [f"{name} {number:,}" for name, number in asked.items()]
    twice = f" ({', '.join(plans[0].pairwise)}: 2 a pair)" if plans[0].pairwise else ""
    twice += f", {tried} of them about a known-bad answer" if tried else ""
    yield (
        f"{sum(asked.values()):,} judge calls at least: {', '.join(told)}{twice}"
        if asked
        else "no judge calls: no scorer asks a model"
    )
    calls = prospects.recorded_calls(known.evaluation)
    cost = prospects.worst_cost(plans, n_candidates, calls)
    yield told_cost(cost, plans[0].answerer)
    if occasion.policy.looks > 1:
        yield f"{occasion.policy.looks} looks are planned: the first that decides ends the sweep"


def _rules(found: Sequence["Reach"], occasion: "Occasion") -> Iterator[str]:
    name = f"gate {occasion.policy.name}"
    if not occasion.policy.rules:
        yield f"{name} has no rule: nothing is decided"
    elif not found:
        yield f"{name}: nothing is compared, and no rule looks at one version alone"
    else:
        alone = ", each version alone: nothing is compared" if occasion.alone else ""
        yield f"{name}, {_count(len(found), 'rule')}{alone}"
    words = {True: "can pass", False: "cannot pass", None: "only a run can tell"}
    for reach in found:
        word = "report only" if reach.report_only else words[reach.passes]
        lack = ""
        if reach.passes is False or reach.report_only:
            lack = f": takes {reach.needed}" if reach.needed else f": {reach.observed}"
        yield f"  {word:<12} {reach.rule}{lack}"


def _chances(known: "Known", occasion: "Occasion") -> Iterator[str]:
    """A line on what is assumed, a table, and the sentence that counts."""
    from vcmp import prospects
    from vcmp.rehearsal import runs_of

    if known.evaluation is None:
        yield f"{known.note}: a pass rate of {prospects.PASS_RATE} is assumed for every score"
        yield from _table(occasion, [prospects.assumed(occasion, flips) for flips in FLIPS])
        return
    evaluation = known.evaluation
    runs = runs_of(evaluation, occasion.metrics.__contains__)
    name, repeats = evaluation.version.name, evaluation.repeats
    lacking = prospects.lacking(runs, occasion)
    if lacking:
        occasion = occasion.without(lacking)
        yield from _lacks(name, lacking, occasion)
        if not occasion.policy.rules:
            return
    if not prospects.is_repeated(runs):
        yield f"scores as in the recorded run of {name}; how many cases flip is assumed"
        yield from _table(occasion, [prospects.recorded(runs, occasion, f) for f in FLIPS])
        return
    scores = [metric for metric in runs.metrics if metric in occasion.scorers]
    flips = prospects.flips_of(runs, scores)
    flipping = f"{_percent(flips)} of the cases flip"
    yield f"scores as in the {repeats} recorded repeats of {name}: {flipping}"
    world = prospects.recorded(runs, occasion, TYPICAL)
    (chance,) = prospects.chances(occasion, [world])
    yield from _heading("")
    yield _row("as recorded", chance)
    yield from _sentence(occasion, world, chance, "")


def _lacks(name: str, lacking: Mapping[str, int], others: "Occasion") -> Iterator[str]:
    """What a recorded run does not tell, and what would."""
    n_cases = len(others.cases)
    told = [f"{m} on {n} of {n_cases} cases" if n < n_cases else m for m, n in lacking.items()]
    left = "the chance is that of the other rules" if others.policy.rules else "no rule is left"
    yield f"the recorded run of {name} lacks {', '.join(told)}: {left}"
    yield (
        f"  See in its report why and evaluate it again, or take the rules about "
        f"{' and '.join(lacking)} out of gate {others.policy.name}."
    )


def _table(occasion: "Occasion", worlds: "Sequence[World]") -> Iterator[str]:
    """One line for each of `FLIPS`, and the sentence."""
    from vcmp import prospects

    found = prospects.chances(occasion, worlds)
    yield from _heading("cases that flip")
    for flips, chance in zip(FLIPS, found, strict=True):
        yield _row(_percent(flips), chance)
    typical = FLIPS.index(TYPICAL)
    assumption = f" and {_percent(TYPICAL)} of the cases flip"
    yield from _sentence(occasion, worlds[typical], found[typical], assumption)


def _heading(first: str) -> Iterator[str]:
    yield f"  {first:<16} {'verdict':>8} {'pass':>8} {'fail':>8}"


def _row(first: str, chance: "Chance") -> str:
    numbers = (chance.decided, chance.passed, chance.failed)
    return f"  {first:<16} " + " ".join(f"{_percent(number):>8}" for number in numbers)


def _sentence(
    occasion: "Occasion", world: "World", chance: "Chance", assumption: str
) -> Iterator[str]:
    told = f"if nothing changed{assumption}, the chance of a verdict is {_percent(chance.decided)}"
    if occasion.policy.looks > 1:
        told += f", after {chance.n_cases:.0f} of {len(occasion.cases)} cases on average"
    yield ""
    for rule, share in chance.rules:
        yield f"  decided in {_percent(share):>5}  {rule}"
    yield ""
    yield told + ("" if chance.decided >= WANTED else f"; {_more(occasion, world)}")


def _more(occasion: "Occasion", world: "World") -> str:
    """What would make a verdict likely."""
    from vcmp import prospects
    from vcmp.gates.words import rounded

    cases = prospects.needed_cases(occasion, world)
    repeats = prospects.needed_repeats(occasion, world)
    ways = [f"about {rounded(cases)} cases"] if cases else []
    ways += [f"repeats={repeats}"] if repeats else []
    if not ways:
        return f"neither more cases nor repeats would make it {_percent(WANTED)}"
    return (
        f"{', or '.join(ways)}, would make it {_percent(WANTED)}"
        if ways[1:]
        else (f"{ways[0]} would make it {_percent(WANTED)}")
    )


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}{'s' * (n != 1)}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
