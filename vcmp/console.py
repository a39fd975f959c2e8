"""The screen, and what the main job shows on it."""

import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vcmp.display import printable
from vcmp.errors import ConfigError
from vcmp.outlets import discard_output

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    from vcmp.evaluation import Interrupt
    from vcmp.gates import Policy
    from vcmp.pipeline import Sweep
    from vcmp.prospects import Cost
    from vcmp.types import Answerer, Conclusion, Evaluation


def make_console() -> "Console":
    """The screen: no wrapping and no colour where stdout is not a terminal; a reader that goes
    away, as in `| head`, ends the output and not the sweep. Whatever is printed on it is
    `printable`."""
    from rich.console import Console

    class Screen(Console):
        def on_broken_pipe(self) -> None:
            self.quiet = True
            discard_output()

        def render(
            self, renderable: "RenderableType", options: "ConsoleOptions | None" = None
        ) -> Iterable["Segment"]:
            for segment in super().render(renderable, options):
                shown = segment.text if segment.control else printable(segment.text)
                yield segment._replace(text=shown)

    if sys.stdout is None:
        return Console(quiet=True)
    width = None if sys.stdout.isatty() else 1000
    return Screen(highlight=False, soft_wrap=True, width=width)


def announce(sweep: "Sweep", console: "Console") -> None:
    """Say who is going to answer how often, before it starts."""
    first = sweep.plans[0]
    n_cases, n_versions = len(first.dataset.cases), len(sweep.plans)
    repeats = f" × {first.repeats} repeats" if first.repeats > 1 else ""
    for note in sweep.record.notes:
        console.print(f"note: {note}", markup=False)
    console.print(f"answered by: {first.answerer.description}", markup=False)
    console.print(
        f"{n_versions} version{'s' * (n_versions > 1)} × {n_cases} cases{repeats}"
        f" of {first.dataset.name}",
        markup=False,
    )
    if sweep.record.baseline.startswith("git:") and not sweep.gathered:
        console.print(f"the baseline, {sweep.record.baseline}, is evaluated first", markup=False)
    _warn(sweep, console)


def tell_end(
    evaluations: "Sequence[Evaluation]", interrupt: "Interrupt", folder: Path, console: "Console"
) -> None:
    """Say why a sweep has ended before its time, what is kept, and how it goes on."""
    done = sum(len(evaluation.results) for evaluation in evaluations)
    # not what was asked: of an evaluation that was stopped that is what there is
    total = sum(len(each.dataset.cases) * each.repeats for each in evaluations)
    if interrupt.reason:
        console.print(f"stopped: {interrupt.reason}", markup=False)
    what = "stopped" if interrupt.reason else "interrupted"
    console.print(f"{what}: {done} of {total} results are kept in {shown(folder)}", markup=False)
    console.print(f"{way_on(folder)} {interrupt.mend}".rstrip(), markup=False)


def way_on(folder: Path) -> str:
    """How a sweep that was ended goes on."""
    return f"go on:     vcmp resume {shown(folder)}"


def tell_way_on(folder: Path) -> None:
    """Say how a sweep goes on that is ended at once.

    The streams may be in use by what is ended.
    """
    if sys.stdout is not None and (folder / "sweep.json").is_file():
        with suppress(OSError):
            os.write(sys.stdout.fileno(), f"\n{printable(way_on(folder))}\n".encode())


@contextmanager
def telling_way_on(folder: Path) -> Iterator[None]:
    """Say how a sweep goes on that a signal ends inside the block."""
    try:
        yield
    except KeyboardInterrupt:
        if any(folder.rglob("*.jsonl")):  # else nothing is paid for, and nothing is kept
            tell_way_on(folder)
        raise


def told_cost(cost: "Cost", answerer: "Answerer") -> str:
    """What calls take, and what is assumed of them, in words."""
    n = f"{cost.calls_a_case:.3g}"
    calls = "one call" if n == "1" else f"{n} calls, as recorded"
    tokens = f"{cost.tokens:,} tokens if each case makes {calls}, with answers as long as may be"
    if answerer.scripted:
        return f"{tokens}; no model is paid"
    if cost.usd is not None:
        return f"{tokens}: ${_amount(cost.usd)}"
    unknown = ", ".join(repr(model) for model in cost.unpriced if model) or "the agent's model"
    return f"{tokens}; the price of {unknown} is unknown"


def _amount(usd: float) -> str:
    """Two decimals, or as many as a small amount needs for two digits."""
    return (
        f"{usd:,.2f}" if usd >= 0.01 or usd <= 0 else f"{usd:.{1 - math.floor(math.log10(usd))}f}"
    )


def confirm(sweep: "Sweep", console: "Console") -> None:
    """Ask before a sweep that may cost more than its budget's `confirm_usd`.

    Raises:
        ConfigError: The answer is no, or there is nobody to ask.
    """
    from vcmp import prospects

    bound = sweep.budget.confirm_usd
    answerer = sweep.plans[0].answerer
    if bound is None or answerer.scripted:
        return
    known = prospects.recall(sweep.plans, sweep.record.baseline, sweep.tracker)
    names = (sweep.record.baseline, *sweep.record.anchors)
    revisions = [] if sweep.gathered else [name for name in names if name.startswith("git:")]
    plans = [*sweep.plans, *(sweep.plans[0] for _ in revisions)]
    calls = prospects.recorded_calls(known.evaluation)
    cost = prospects.worst_cost(plans, len(plans) - 1, calls)
    if cost.usd is not None and cost.usd <= bound:
        return
    alike = f", {' and '.join(revisions)} like {sweep.plans[0].version.variant.name}"
    told = told_cost(cost, answerer) + (alike if revisions else "")
    if not sys.stdin.isatty():
        raise ConfigError(
            f"budget.confirm_usd={bound:g}: {told}, and there is nobody to ask.\n"
            "  Lower dataset.limit or max_tokens, or raise budget.confirm_usd."
        )
    console.print(told, markup=False)
    if console.input("go on? [y/N]\n", markup=False).strip().lower() not in ("y", "yes"):
        raise ConfigError(f"budget.confirm_usd={bound:g}: not confirmed, nothing was sent.")


def _warn(sweep: "Sweep", console: "Console") -> None:
    """Say so when the gate cannot pass, whatever comes out; it may be run all the same, as to
    record a baseline."""
    from vcmp import prospects

    if sweep.policy is None:
        return
    record = sweep.record
    why = prospects.warning(sweep.plans, sweep.policy, record.baseline, record.anchors)
    if why:
        console.print(f"note: {why}; vcmp plan says more", markup=False)


def present(
    folder: Path, policy: "Policy", report: Mapping[str, Any], console: "Console"
) -> "Conclusion":
    """Conclude a sweep, write its reports, and show what follows and where it stands."""
    from vcmp import conclusions, reports

    conclusion = conclusions.conclude_folder(folder, policy)
    conclusions.write_reports(conclusion, folder, **report)
    reports.screen(conclusion, console)
    console.print()
    if conclusion.baseline_note:
        console.print(f"baseline  {conclusion.baseline_note}", markup=False)
    console.print(f"report    {shown(folder / 'report.md')}", markup=False)
    names = ", ".join(evaluation.version.name for evaluation in conclusion.evaluations)
    console.print(f"versions  {names}", markup=False)
    return conclusion


def shown(path: Path) -> str:
    """A path as the user would type it from here."""
    return os.path.relpath(path)
