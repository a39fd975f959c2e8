"""What a check of judges shows: a table, and for each judge one sentence and one next step."""

from collections.abc import Collection, Iterator, Sequence

from rich.console import Console
from rich.table import Table

from vcmp.agreement import Agreement, Estimate, can_correct
from vcmp.checking.asking import Checked, Inquest
from vcmp.checking.labels import OUTPUT
from vcmp.types import Plan

ENOUGH_LABELS = 30
"""With fewer, even 9 of 10 right may be 7 of 10."""
MUCH = 0.20
"""A share of verdicts that the order decided, or of answers without a verdict, to act on."""
_HEADINGS = (
    "judge",
    "labelled",
    "agrees",
    "95 % CI",
    "kappa",
    "too kind",
    "too strict",
    "too kind, long - short",
    "order decides",
)


def announce(inquest: Inquest, console: Console) -> None:
    """Say who answers, who is asked about what, and what is left out, before it starts."""
    plan = inquest.plan
    judges, n_labelled = len(inquest.wanted), len(inquest.labels.case_ids)
    console.print(f"answered by: {plan.answerer.description}", markup=False)
    console.print(
        f"{_plural(judges, 'judge')}, {_plural(n_labelled, 'labelled case')} of"
        f" {plan.dataset.name}",
        markup=False,
    )
    for note in _notes(inquest):
        console.print(f"note: {note}", markup=False)


def _notes(inquest: Inquest) -> Iterator[str]:
    labels = inquest.labels
    if labels.strangers:
        names = ", ".join(map(repr, labels.strangers))
        yield f"the labels for {names} are not used: no judge is called so"
    for name, why in inquest.unasked.items():
        yield f"{name} was not asked: {why}"
    fresh = [case for case in inquest.fresh if case.id in labels.case_ids]
    if fresh:
        yield (
            f"{_plural(len(fresh), 'labelled case')} without expectations.{OUTPUT}:"
            f" {inquest.plan.version.variant.name} answers now, and the labels are taken to be"
            " about these answers"
        )
    if inquest.n_unlabelled and not can_correct():
        yield (
            f"{_plural(inquest.n_unlabelled, 'case')} without labels left out; with them the labels"
            " could correct a judge's mean: pip install 'vcmp[ppi]'"
        )


def show(
    inquest: Inquest, checked: Sequence[Checked], failed: Collection[str], console: Console
) -> None:
    """Print the table, then what it means for each judge.

    Args:
        failed: Cases for which the agent gave no answer.
    """
    if failed:
        variant = inquest.plan.version.variant.name
        console.print(
            f"note: {variant} failed on {_plural(len(failed), 'case')}, and nobody judges that",
            markup=False,
        )
    table = Table(box=None, pad_edge=False, show_edge=False)
    for heading in _HEADINGS:
        table.add_column(heading, justify="left" if heading == "judge" else "right")
    for each in checked:
        table.add_row(name_of(each, inquest.plan), *_cells(each))
    console.print()
    console.print(table, markup=False)
    for each in checked:
        console.print()
        console.print(f"  {name_of(each, inquest.plan)} {sentence(each)}", markup=False)
        console.print(f"    next: {next_step(each)}", markup=False)
        for line in _means(each):
            console.print(f"    {line}", markup=False)


def name_of(checked: Checked, plan: Plan) -> str:
    """The judge's name, marked where no model answered in its place."""
    return f"{checked.name} (scripted judge)" if plan.answerer.scripted else checked.name


def _cells(checked: Checked) -> tuple[str, ...]:
    found = checked.agreement
    accuracy, kappa, swayed = found.accuracy, found.kappa, found.swayed
    return (
        str(found.n),
        f"{accuracy.value:.2f}" if accuracy else "-",
        _bounds(accuracy),
        "-" if kappa is None else f"{kappa:.2f}",
        str(found.too_kind),
        str(found.too_strict),
        f"{found.length_bias.value:+.2f}, {_bounds(found.length_bias)}"
        if found.length_bias
        else "-",
        "-" if swayed is None else f"{swayed:.0%}",
    )


def sentence(checked: Checked) -> str:
    """How far the judge can be believed."""
    found = checked.agreement
    if not found.n:
        return "gave no verdict on an answer that has a label"
    text = f"agrees with people in {found.agreed} of {found.n}"
    if found.kappa is None:
        text += ", kappa unknown: neither ever said anything else"
    else:
        text += f", kappa {found.kappa:.2f}: {found.strength}"
    if found.agreed < found.n:
        text += f"; too kind {_times(found.too_kind)}, too strict {_times(found.too_strict)}"
    return text


def next_step(checked: Checked) -> str:
    """What to do about the gravest of the judge's faults."""
    found = checked.agreement
    if found.unscored > MUCH * (found.n + found.unscored):
        return (
            f"find out why it gave no verdict on {_plural(found.unscored, 'answer')};"
            " judge-check.json has the errors"
        )
    if not found.n:
        return "label some of the answers that it judged"
    if found.kappa is None:
        return "label answers of both kinds: a judge that never looks would agree as well"
    if found.kappa < 0.41:
        return f"do not let it decide; {_cure(found)}, then check again"
    if found.swayed is not None and found.swayed > MUCH:
        return "say in its criterion what counts, or take a stronger model: the order sways it"
    if found.length_bias and _is_certain(found.length_bias):
        favours = "long" if found.length_bias.value > 0 else "short"
        return f"tell it that length does not count: it is too kind to {favours} answers"
    if found.n < ENOUGH_LABELS:
        return (
            f"label {ENOUGH_LABELS - found.n} answers more, good and bad ones:"
            f" it may be right in {_bounds(found.accuracy)} of all"
        )
    if found.kappa < 0.61:
        return f"use it beside a rule, not as the only primary metric; {_cure(found)}"
    return "it may decide; check it again when its words or its model change"


def _cure(found: Agreement) -> str:
    if found.too_kind > found.too_strict:
        return "say in its words when an answer fails, with an example"
    if found.too_kind < found.too_strict:
        return "say in its words what is good enough, with an example"
    return "read where it differs in judge-check.json, and say in its words what counts"


def _means(checked: Checked) -> Iterator[str]:
    found = checked.means
    if not found:
        return
    judged, labelled, corrected = found.judged, found.labelled, found.corrected
    yield (
        f"mean: {judged.value:.2f} ({_bounds(judged)}) as it says of all {judged.n} answers,"
        f" {labelled.value:.2f} ({_bounds(labelled)}) by the {labelled.n} labels alone"
    )
    if corrected:
        yield (
            f"mean: {corrected.value:.2f} ({_bounds(corrected)}) of all, corrected by the labels,"
            " if they are of a random sample"
        )
    else:
        yield "mean of all, corrected by the labels: unknown, too few labels or none that differ"


def _bounds(found: Estimate | None) -> str:
    return f"{found.interval.low:.2f} to {found.interval.high:.2f}" if found else "-"


def _is_certain(found: Estimate) -> bool:
    return found.interval.low > 0 or found.interval.high < 0


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
