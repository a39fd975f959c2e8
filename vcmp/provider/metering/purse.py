"""The budget: what a request may cost at worst is set aside before it is sent."""

import json
import math
import threading
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from vcmp.provider.metering.pace import Place
from vcmp.provider.metering.prices import cost_usd
from vcmp.types import Budget, Spent

BYTES_PER_TOKEN = 2
"""Fewer than in any language that is mostly written in letters; no tokenizer is at hand."""
MOST_OUTPUT_TOKENS = 4096
"""Of a request that sets no limit."""
OUTPUT_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens")
"""How the APIs call the most tokens that an answer may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What a request takes; `usd` is None where the model's price is unknown."""

    tokens: int = 0
    usd: float | None = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrun:
    """Why a request must not be sent."""

    reason: str
    mend: str
    """The setting to raise, or to replace, so that it may."""
    passes: bool = False
    """Whether requests under way may leave enough for it."""


class Ledger(Protocol):
    """Knows what is spent when the process is gone."""

    def spent(self) -> Spent:
        """What was spent before."""
        ...

    def add(self, spent: Spent) -> None:
        """Keep what an attempt of a call took."""
        ...


class Purse:
    """What has been spent, and what is set aside for requests under way.

    Args:
        budget: The bounds.
        ledger: Where it goes on from, and what it keeps up to date.
        patience_s: Seconds after which a request that is under way has been settled, unless whoever
            sent it lets it lie.
    """

    def __init__(
        self, budget: Budget, ledger: Ledger | None = None, patience_s: float = math.inf
    ) -> None:
        self._budget = budget
        self._ledger = ledger
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._line: deque[Place] = deque()
        self._waiting: Counter[object] = Counter()
        self._handed_over: Counter[object] = Counter()
        self._n_under_way = 0
        self._before = ledger.spent() if ledger else Spent()
        self._began_s = self._noted_s = self._reserved_s = time.monotonic()
        self._calls = self._before.calls
        self._tokens = self._before.tokens
        self._usd = self._before.usd or 0.0

    def line_up(self, owner: object = None) -> Place:
        """Take a place in the line of requests for which nothing is set aside yet.

        Args:
            owner: What the request is made for, if that is known.
        """
        place = Place()
        with self._lock:
            self._line.append(place)
            self._waiting[owner] += 1
        return place

    def leave_line(self, place: Place, owner: object = None) -> None:
        """Give a place up."""
        with self._lock:
            self._line.remove(place)
            self._waiting[owner] -= 1

    def hand_over(self, owner: object) -> None:
        """A reply for which something is set aside is read by its owner, who may never end it."""
        with self._lock:
            self._handed_over[owner] += 1

    def take_back(self, owner: object) -> None:
        """It is settled."""
        with self._lock:
            self._handed_over[owner] -= 1

    def _may_be_settled(self) -> bool:
        """Whether a request is under way that is not held by one who waits for another."""
        held = sum(
            n
            for owner, n in self._handed_over.items()
            if owner is not None and self._waiting[owner]
        )
        return self._n_under_way > held

    def reserve(self, worst: Price, model: str, place: Place | None = None) -> Overrun | bool:
        """Set aside what a request takes at worst, first come first served.

        Args:
            worst: From `price`.
            model: What it asks for.
            place: Its place in the line; None for one that does not wait.

        Returns:
            Whether it is set aside: else, while requests are under way, they may leave enough.
            When nothing is, why it must not be sent.
        """
        with self._lock:
            if self._line and self._line[0] is not place:
                return False
            over, now = self._overrun(worst, model), time.monotonic()
            if over and over.passes and self._may_be_settled():
                return over if now > self._reserved_s + self._patience_s else False
            if over:
                return over
            self._reserved_s = now
            self._n_under_way += 1
            self._calls += 1
            self._tokens += worst.tokens
            self._usd += worst.usd or 0.0
        return True

    def price(self, body: Mapping[str, Any], url: str) -> Price:
        """What is to be set aside for a request: of tokens and money nothing where no bound asks.

        Args:
            body: The request.
            url: Where it is sent.
        """
        bounded = self._budget.tokens is not None or self._budget.usd is not None
        return self.worst_price(body, url) if bounded else Price()

    def worst_price(self, body: Mapping[str, Any], url: str) -> Price:
        """What a request takes if its answer is as long as it may be."""
        text = json.dumps(body, ensure_ascii=False, default=str)
        size = len(text.encode(errors="surrogatepass"))
        asked = math.ceil(size / BYTES_PER_TOKEN)
        limits = (body.get(name) for name in OUTPUT_LIMITS)
        limit = next((limit for limit in limits if isinstance(limit, int)), None)
        n = body.get("n")
        answered = (limit or MOST_OUTPUT_TOKENS) * (n if isinstance(n, int) else 1)
        usd = cost_usd(str(body.get("model") or ""), asked, answered, url=url)
        return Price(tokens=asked + answered, usd=usd)

    def _overrun(self, worst: Price, model: str) -> Overrun | None:
        budget = self._budget
        minutes = self._before.minutes + (time.monotonic() - self._began_s) / 60
        if budget.minutes is not None and minutes >= budget.minutes:
            return _over("minutes", budget.minutes, "have passed", passes=False)
        if budget.calls is not None and self._calls + 1 > budget.calls:
            return _over("calls", budget.calls, "are made", passes=False)  # none is taken back
        if budget.tokens is not None and self._tokens + worst.tokens > budget.tokens:
            return _over("tokens", budget.tokens, "may not do for the next call")
        if budget.usd is None:
            return None
        if worst.usd is None:
            return _unpriced(f"the price of {model!r}")
        if self._before.usd is None:
            return _unpriced("the price of an earlier call")
        if self._usd + worst.usd > budget.usd:
            return _over("usd", budget.usd, "may not do for the next call")
        return None

    def settle(self, worst: Price, spent: Price, *, sent: bool = True) -> None:
        """Put back what a request did not take.

        Args:
            worst: What was set aside for it.
            spent: What it took.
            sent: Whether it counts as a call: a recorded reply does not.

        Raises:
            StorageError: The ledger cannot keep it.
        """
        with self._lock:
            self._n_under_way -= 1
            self._calls -= not sent
            self._tokens += spent.tokens - worst.tokens
            self._usd += (spent.usd or 0.0) - (worst.usd or 0.0)
        if sent:
            self._note(Spent(calls=1, tokens=spent.tokens, usd=spent.usd))

    def close(self) -> None:
        """Keep the time since the last call as well; raises a StorageError like `settle`."""
        self._note(Spent())

    def _note(self, spent: Spent) -> None:
        if self._ledger is None:
            return
        with self._lock:
            before_s, self._noted_s = self._noted_s, time.monotonic()
            minutes = (self._noted_s - before_s) / 60
        self._ledger.add(replace(spent, minutes=minutes))


def _over(what: str, bound: float, how: str, *, passes: bool = True) -> Overrun:
    reason = f"budget: the {bound:g} of budget.{what} {how}"
    return Overrun(reason=reason, mend=f"budget.{what}=…", passes=passes)


def _unpriced(what: str) -> Overrun:
    return Overrun(
        reason=f"budget: {what} is unknown, so budget.usd cannot be kept. Use budget.tokens",
        mend="budget.usd=null budget.tokens=…",
    )
