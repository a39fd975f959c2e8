"""What `vcmp versions` shows: recorded versions in a table, and one version's traces in numbers."""

import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from vcmp.metrics import MEASUREMENTS
from vcmp.tracking import RecordedVersion, TraceSummary

SHOWN = ("error_rate", "latency_s/p95", "output_tokens/mean", "cost_usd/total")
"""Measurements that get a column, beside the scorers' means."""


def show_versions(versions: Sequence[RecordedVersion], by: str, console: Console) -> None:
    """Print recorded versions, in the order given, with their metrics side by side.

    Args:
        versions: As `MlflowTracker.versions` ranks them.
        by: The metric they are ranked by, which gets the first column; "" for the newest first.
        console: Where to print.
    """
    if not versions:
        console.print("no version is recorded yet. Record one: python -m vcmp agent=basic")
        return
    if by:
        console.print(f"best by {by}: {versions[0].name}{_on(versions[0])}", markup=False)
    metrics = _columns(versions, by)
    table = Table(box=None, pad_edge=False, show_edge=False)
    for name in ("version", "recorded", "verdict", "cases", *metrics, "answered by", "dataset"):
        heading = name if name.split("/")[0] in MEASUREMENTS else name.removesuffix("/mean")
        table.add_column(
            heading, overflow="fold", justify="right" if name in (*metrics, "cases") else "left"
        )
    for version in versions:
        table.add_row(
            f"{version.name}{' (anchor)' if version.anchor else ''}",
            time.strftime("%Y-%m-%d %H:%M", time.localtime(version.created_s)),
            version.verdict or "-",
            str(version.n_cases or "-"),
            *(_number(version.metrics.get(metric)) for metric in metrics),
            version.answered_by or "-",
            f"{version.dataset} {version.dataset_digest}{'' if version.comparable else ' *'}",
        )
    console.print(table, markup=False)
    if not all(version.comparable for version in versions):
        console.print("* measured on another dataset: not to be compared with the others")


def show_pinned(version: RecordedVersion, console: Console) -> None:
    """Print which version is the anchor, and what that is good for."""
    console.print(
        f"pinned {version.name}. Compare with it: baselines=[previous,anchor]", markup=False
    )


def show_unpinned(version: RecordedVersion | None, console: Console) -> None:
    """Print which version has lost its pin."""
    console.print(f"unpinned {version.name}" if version else "no version is pinned", markup=False)


def _on(version: RecordedVersion) -> str:
    """What the best was best on."""
    if not version.dataset:
        return ""
    return f" (dataset {version.dataset} {version.dataset_digest}, {version.n_cases} cases)"


def _columns(versions: Sequence[RecordedVersion], by: str) -> list[str]:
    known = {metric for version in versions for metric in version.metrics}
    scorers = sorted(
        m for m in known if m.endswith("/mean") and m.split("/")[0] not in MEASUREMENTS
    )
    shown = [*scorers, *(metric for metric in SHOWN if metric in known)]
    first = [m for m in (by, f"{by}/mean", f"{by}/total") if m in known][:1]
    return first + [metric for metric in shown if metric not in first]


def show_traces(summary: TraceSummary, console: Console) -> None:
    """Print what one version's traces in MLflow say: latency, tokens, errors, length, feedback."""
    version = summary.version
    rows = [
        ("version", version.name),
        ("model id", version.model_id),
        ("answered by", version.answered_by or "unknown"),
        ("traces", _traces(summary)),
        ("errors", str(summary.errors)),
        ("error rate", _number(summary.error_rate)),
    ]
    rows += [(f"latency {name}", f"{_number(s)} s") for name, s in summary.latency_s.items()]
    rows += [(_words(f"{n} per trace"), _number(v)) for n, v in summary.tokens_mean.items()]
    rows += [(_words(f"{n} in total"), f"{v:,}") for n, v in summary.tokens_total.items()]
    rows.append(("response length", f"{_number(summary.output_chars_mean)} characters"))
    rows += [
        (name, f"{_number(found.mean)}   {found.scored}/{found.asked} scored")
        for name, found in summary.assessments.items()
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        console.print(f"{name:<{width}}  {value}", markup=False)


def _traces(summary: TraceSummary) -> str:
    if not summary.evaluations:
        return str(summary.traces)
    count, everything = summary.evaluations, summary.traces_altogether
    if summary.traces == everything:
        return f"{everything} of {count} evaluation{'s' * (count > 1)}"
    return (
        f"{summary.traces} of the newest complete evaluation; "
        f"{everything} altogether, of {count} evaluation{'s' * (count > 1)}"
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"
