"""What is too much for a comment is taken off the page, whole parts in a fixed order, so that a
template needs no more than `{% if %}` round each part."""

from dataclasses import replace
from typing import Any

from vcmp.reports.page import Page

PARTS = {
    "by_tag": "results by tag",
    "traces": "trace analysis",
    "improvements": "improved cases",
    "changes": "what changed",
    "deltas": "table of all metrics",
    "regressions": "worst cases",
}
"""What may be left out, the first first, and how the report calls it."""


def shorten(page: Page, n_parts: int) -> Page:
    """`page` without the first `n_parts` of the parts that may be left out."""
    taken = removable(page)[:n_parts]
    for part, place in taken:
        empty: Any = None if part == "changes" else ()
        if place is None:
            page = replace(page, **{part: empty})
        else:
            candidates = list(page.candidates)
            candidates[place] = replace(candidates[place], **{part: empty})
            page = replace(page, candidates=tuple(candidates))
    return replace(page, left_out=_in_words(page, taken))


def removable(page: Page) -> list[tuple[str, int | None]]:
    """The parts that may be left out, in that order: those of the last candidate come first."""
    found: list[tuple[str, int | None]] = []
    for part in PARTS:
        if hasattr(page, part):
            found += [(part, None)] if getattr(page, part) else []
        else:
            places = reversed(range(len(page.candidates)))
            found += [(part, n) for n in places if getattr(page.candidates[n], part)]
    return found


def _in_words(page: Page, taken: list[tuple[str, int | None]]) -> tuple[str, ...]:
    words = []
    for part, name in PARTS.items():
        places = [place for taken_part, place in taken if taken_part == part]
        several = len(page.candidates) > 1 and places not in ([], [None])
        of = f" ({len(places)} of {len(page.candidates)} candidates)" if several else ""
        words += [name + of] if places else []
    return tuple(words)
