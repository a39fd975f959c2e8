"""Votes: a judge asked the same several times, and what is taken for its judgement.

Asked once, a judge that is unsure looks as sure as any other. How far its votes agree is the share
of them that say what is taken, averaged over judgements: plain agreement, not corrected for what
chance would give (as Fleiss' kappa is), since a judge may well say the same of every answer.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any, TypeVar

from vcmp.errors import ConfigError

T = TypeVar("T")
TIE = "tie"
Reply = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the votes come to."""

    value: Any
    rationale: str
    """Of the first vote that says so."""
    agreement: float | None
    """Share of the votes that say so; None of a single one, which agrees with itself."""


def check_votes(judge: str, votes: object) -> None:
    """Raise a ConfigError for a number of votes that may have no majority."""
    if not (isinstance(votes, int) and votes > 0 and votes % 2 == 1):
        raise ConfigError(
            f"{judge}: votes is {votes!r}. Give an odd number, so that there is a majority."
        )


async def poll(
    ask: Callable[[], Coroutine[Any, Any, Reply]],
    votes: int,
    key: str,
    take: Callable[[Sequence[Any]], Any],
) -> Judgement:
    """Ask as often as there are votes, at once.

    Args:
        ask: Gives a reply with a rationale.
        votes: An odd number.
        key: Of the replies' values.
        take: From all values the one that counts: `majority`, or the median.

    Raises:
        JudgeError: A vote was of no use. Those that are left may have no majority.
    """
    replies = await all_of(ask() for _ in range(votes))
    value = take([reply[key] for reply in replies])
    same = [reply for reply in replies if reply[key] == value]
    return Judgement(
        value=value,
        rationale=same[0]["rationale"],
        agreement=len(same) / votes if votes > 1 else None,
    )


def majority(values: Sequence[Any]) -> Any:
    """What more than half of an odd number of votes say. Only of three kinds of votes may none have
    a majority: it is a tie, and one of them says so."""
    return next((value for value in values if 2 * values.count(value) > len(values)), TIE)


def mean_agreement(judgements: Sequence[Judgement]) -> float | None:
    """Of several judgements that make one score; None where each had one vote."""
    shares = [each.agreement for each in judgements if each.agreement is not None]
    return fmean(shares) if shares else None


async def all_of(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of the calls give; when one raises, the others are waited for first."""
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    values = []
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
        values.append(outcome)
    return values
