"""`scores.csv`: what a sweep measured, as the table that `vcmp gate` and other tools read."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from vcmp.metrics import CHARGED, MEASUREMENTS, measure
from vcmp.tables.cells import guard
from vcmp.tables.columns import COLUMNS
from vcmp.tables.trials import ERROR
from vcmp.types import Case, Comparison, Conclusion, Evaluation, Result

Results = Mapping[tuple[str, int], Result]
"""By case id and repeat."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sides:
    """A candidate, and its baseline where there is one."""

    candidate: Evaluation
    baseline: Evaluation | None = None
    pairwise: Mapping[str, Mapping[str, tuple[float, float]]]
    """What judges that compare outputs gave both sides, by metric and case."""

    def lines(self) -> Iterator[tuple[str, ...]]:
        """One for each case, repeat and scorer, in the order of the dataset."""
        sides = _results(self.baseline), _results(self.candidate)
        repeats = sorted({repeat for side in sides for _, repeat in side})
        for case in self.candidate.dataset.cases:
            for repeat in repeats:
                before, after = (side.get((case.id, repeat)) for side in sides)
                if before or after:
                    for name, cells in self._cells(before, after):
                        yield *_head(self.candidate, case), str(repeat), guard(name), *cells
            yield from self._judged(case)

    def _cells(
        self, before: Result | None, after: Result | None
    ) -> Iterator[tuple[str, tuple[str, str]]]:
        for name in [*self.candidate.scorers, *_measurements(self.candidate), ERROR]:
            if name not in self.pairwise:
                cells = _shown(_value(before, name)), _shown(_value(after, name))
                if name not in MEASUREMENTS or any(cells):
                    yield name, cells

    def _judged(self, case: Case) -> Iterator[tuple[str, ...]]:
        for name, values in self.pairwise.items():
            if case.id in values:
                cells = map(_shown, values[case.id])
                yield *_head(self.candidate, case), "0", guard(name), *cells


def scores_csv(conclusion: Conclusion) -> str:
    """The values of every version, one line for each case, repeat and scorer.

    Cells that a spreadsheet would take for a formula are guarded; `vcmp gate` reads them as they
    were. The baseline's cells are empty where nothing was compared.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for sides in _all_sides(conclusion):
        writer.writerows(sides.lines())
    return text.getvalue()


def _all_sides(conclusion: Conclusion) -> Iterator[_Sides]:
    if not conclusion.comparisons:
        for evaluation in conclusion.evaluations:
            yield _Sides(candidate=evaluation, pairwise={})
    for compared in conclusion.comparisons:
        yield _Sides(
            candidate=compared.candidate,
            baseline=compared.baseline,
            pairwise=dict(_pairwise(compared)),
        )


def _pairwise(compared: Comparison) -> Iterator[tuple[str, dict[str, tuple[float, float]]]]:
    """The scorers that no result has a score of."""
    scored = {name for result in compared.candidate.results for name in result.scores}
    for name in compared.candidate.scorers:
        pair = compared.pairs.get(name)
        if pair and name not in scored:
            sides = zip(pair.baseline, pair.candidate, strict=True)
            yield name, dict(zip(pair.case_ids, sides, strict=True))


def _results(evaluation: Evaluation | None) -> Results:
    results = evaluation.results if evaluation else ()
    return {(result.case_id, result.repeat): result for result in results}


def _measurements(evaluation: Evaluation) -> list[str]:
    scripted = evaluation.answerer.scripted
    return [name for name in MEASUREMENTS if not (scripted and name in CHARGED)]


def _value(result: Result | None, name: str) -> float | None:
    """None where there is none; a failed run has no score, for the line of `error` tells it."""
    if result is None:
        return None
    if name == ERROR:
        return float(bool(result.error))
    if name in MEASUREMENTS:
        return measure(result, name)
    return None if result.error else result.value(name)


def _head(evaluation: Evaluation, case: Case) -> tuple[str, ...]:
    names = (evaluation.version.variant.name, case.id, case.cluster, _tags(case))
    return tuple(map(guard, names))


def _tags(case: Case) -> str:
    return ";".join(tag.replace(";", ",") for tag in case.tags)


def _shown(value: float | None) -> str:
    return "" if value is None else repr(value).removesuffix(".0")
