"""Trials: what was seen of a candidate and of its baseline on the same cases."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vcmp.types import Arm, Case

ERROR = "error"
"""The scorer that says, by 1, that a run failed."""
WORST = 0.0
"""The score of a run that failed."""
Cell = tuple[float | None, float | None]
"""The values of the baseline and of the candidate."""
Cells = Mapping[str, Mapping[str, Mapping[str, Cell]]]
"""By scorer, case and repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A candidate and its baseline on the same cases."""

    variant: str
    cases: tuple[Case, ...]
    """All of the table, whether or not this variant has a line for them."""
    cells: Cells
    """Scorers in alphabetical order."""
    measurements: frozenset[str]
    """Metrics that are no scores."""
    lower: frozenset[str] = frozenset()
    """Scores of which less is better: the worst of a run that failed is 1, where they lie in
    [0, 1]; else it has none."""
    errors_known: bool
    """Whether the table says of any run that it failed, or did not."""

    @property
    def scorers(self) -> tuple[str, ...]:
        """The metrics that are scores, in alphabetical order."""
        return tuple(name for name in self.cells if name not in {*self.measurements, ERROR})

    def arms(self, cases: Sequence[Case]) -> tuple[Arm, Arm]:
        """What was seen of the baseline and of the candidate on these cases.

        A run that failed has the worst score on every scorer, whatever its cells say and whether
        or not it has a line, and no measurement. One that has any value, and no line of the scorer
        `error`, did not fail; where the whole table has no such line, nobody knows.
        """
        ids = [case.id for case in cases]
        return self._arm(0, ids), self._arm(1, ids)

    def _arm(self, side: int, ids: Sequence[str]) -> Arm:
        failed = self._failures(side)
        values = {}
        asked = {}
        for metric in self.cells:
            if metric != ERROR:
                values[metric] = dict(self._values(metric, side, ids, failed))
                asked[metric] = self._asked(metric, ids, failed)
        if self.errors_known:
            values[ERROR] = dict(self._errors(side, ids, failed))
            asked[ERROR] = sum(map(len, values[ERROR].values()))
        return Arm(
            values={metric: seen for metric, seen in values.items() if seen},
            asked=asked,
            measurements=self.measurements,
            lower=self.lower,
        )

    def _failures(self, side: int) -> dict[str, set[str]]:
        """By case, the repeats that failed."""
        by_case = self.cells.get(ERROR, {})
        failed = {
            case_id: {run for run, cell in runs.items() if cell[side]}
            for case_id, runs in by_case.items()
        }
        return {case_id: runs for case_id, runs in failed.items() if runs}

    def _values(
        self, metric: str, side: int, ids: Sequence[str], failed: Mapping[str, Collection[str]]
    ) -> Iterator[tuple[str, list[float]]]:
        by_case = self.cells[metric]
        worst = self._worst(metric)
        for case_id in ids:
            runs, broken = by_case.get(case_id, {}), failed.get(case_id, ())
            seen = [
                value
                for run, cell in runs.items()
                if (value := cell[side]) is not None and run not in broken
            ]
            if broken and worst is not None:
                seen += [worst] * len(broken)
            if seen:
                yield case_id, seen

    def _worst(self, metric: str) -> float | None:
        """The value of a failed run; None where there is no worst."""
        if metric in self.measurements:
            return None
        if metric not in self.lower:
            return WORST
        cells = (cell for runs in self.cells[metric].values() for cell in runs.values())
        bounded = all(value is None or 0 <= value <= 1 for cell in cells for value in cell)
        return 1.0 if bounded else None

    def _asked(self, metric: str, ids: Sequence[str], failed: Mapping[str, Collection[str]]) -> int:
        by_case = self.cells[metric]
        n = sum(len(by_case.get(case_id, ())) for case_id in ids)
        own = set(ids) if failed else set()
        return n + sum(
            len(runs - by_case.get(case_id, {}).keys())
            for case_id, runs in failed.items()
            if case_id in own
        )

    def _errors(
        self, side: int, ids: Sequence[str], failed: Mapping[str, Collection[str]]
    ) -> Iterator[tuple[str, list[float]]]:
        """1 for each run that failed, 0 for each other of which anything was seen."""
        for case_id in ids:
            seen = {
                run
                for by_case in self.cells.values()
                for run, cell in by_case.get(case_id, {}).items()
                if cell[side] is not None
            }
            broken = failed.get(case_id, ())
            if seen:
                yield case_id, [float(run in broken) for run in sorted(seen)]
