"""How far an evaluation is: a moving bar on a terminal, a line for every tenth in a log."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vcmp.evaluation import OnResult
from vcmp.types import Result


@contextmanager
def follow(total: int, doing: str, *, console: Console) -> Iterator[OnResult]:
    """Give the function to call with each finished result.

    Args:
        total: Results to expect, over all versions.
        doing: What is being done, in a word.
        console: Where to show them; a terminal gets a bar, anything else lines.
    """
    if console.is_terminal:
        with _bar(total, doing, console) as tick:
            yield tick
    else:
        yield _lines(total, doing, console)


@contextmanager
def _bar(total: int, doing: str, console: Console) -> Iterator[OnResult]:
    columns = (
        TextColumn(doing),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[told]}"),
        TimeRemainingColumn(),
    )
    tally = _Tally()
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total, told="")

        def tick(_plan: int, result: Result) -> None:
            progress.update(task, advance=1, told=tally.add(result))

        yield tick


def _lines(total: int, doing: str, console: Console) -> OnResult:
    tally = _Tally()
    step = max(total // 10, 1)

    def tick(_plan: int, result: Result) -> None:
        told = tally.add(result)
        if tally.n % step == 0 or tally.n == total:
            console.print(f"  {doing} {tally.n} of {total}  {told}", highlight=False)

    return tick


class _Tally:
    """Errors, tokens and cost so far."""

    def __init__(self) -> None:
        self.n = self.errors = self.tokens = 0
        self.cost_usd = 0.0

    def add(self, result: Result) -> str:
        usage = result.usage
        self.n += 1
        self.errors += bool(result.error)
        self.tokens += (usage.input_tokens or 0) + (usage.output_tokens or 0)
        self.cost_usd += usage.cost_usd or 0.0
        cost = f", ${self.cost_usd:.4f}" if self.cost_usd else ""
        return f"{self.errors} errors, {self.tokens:,} tokens{cost}"
