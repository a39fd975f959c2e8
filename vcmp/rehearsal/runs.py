"""What a version scored, run by run, ready to be dealt out afresh."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from vcmp.comparison.observations import observe
from vcmp.types import Arm, Case, Evaluation, Result

Row = Mapping[str, float]
"""What one run of a case scored, by metric; what has no value is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """What a version scored on each case, run by run."""

    cases: tuple[Case, ...]
    rows: Mapping[str, tuple[Row, ...]]
    """By case id, one for each repeat."""
    results: Mapping[str, tuple[Result, ...]]
    """Likewise, the results that the rows are of."""
    metrics: tuple[str, ...]
    measurements: frozenset[str]

    def arm(self, chosen: Mapping[str, Sequence[Row]]) -> Arm:
        """What would have been seen, had these been the runs of each case."""
        values = {metric: dict(_values(chosen, metric)) for metric in self.metrics}
        n_runs = sum(map(len, chosen.values()))
        return Arm(
            values={metric: cases for metric, cases in values.items() if cases},
            asked=dict.fromkeys(values, n_runs),
            measurements=self.measurements,
        )

    def varying(self, metric: str) -> dict[str, tuple[float, ...]]:
        """The values of each case on which the metric is not the same in every run."""
        found = {}
        for case in self.cases:
            values = tuple(row[metric] for row in self.rows[case.id] if metric in row)
            if len(set(values)) > 1:
                found[case.id] = values
        return found


def runs_of(evaluation: Evaluation, wanted: Callable[[str], bool] = lambda _metric: True) -> Runs:
    """The runs of an evaluation, whether or not it is complete.

    Args:
        wanted: Which metrics to read.
    """
    by_repeat: dict[int, list[Result]] = {}
    for result in evaluation.results:
        by_repeat.setdefault(result.repeat, []).append(result)
    rows: dict[str, list[Row]] = {case.id: [] for case in evaluation.dataset.cases}
    kept: dict[str, list[Result]] = {case.id: [] for case in evaluation.dataset.cases}
    metrics: dict[str, None] = {}
    measurements: frozenset[str] = frozenset()
    for results in by_repeat.values():
        arm = observe(replace(evaluation, results=tuple(results), repeats=1))
        measurements = arm.measurements
        seen = {metric: arm.values[metric] for metric in arm.values if wanted(metric)}
        metrics |= dict.fromkeys(seen)
        for result in results:
            case_id = result.case_id
            rows[case_id].append({m: v[case_id][0] for m, v in seen.items() if case_id in v})
            kept[case_id].append(result)
    return Runs(
        cases=evaluation.dataset.cases,
        rows={case_id: tuple(found) for case_id, found in rows.items()},
        results={case_id: tuple(found) for case_id, found in kept.items()},
        metrics=tuple(metrics),
        measurements=measurements,
    )


def _values(chosen: Mapping[str, Sequence[Row]], metric: str) -> Iterator[tuple[str, list[float]]]:
    for case_id, rows in chosen.items():
        values = [row[metric] for row in rows if metric in row]
        if values:
            yield case_id, values
