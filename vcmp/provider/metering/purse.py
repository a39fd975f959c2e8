"""The budget: what a request may cost at worst is set aside before it is sent."""

import json
import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vcmp.provider.metering.prices import cost_usd
from vcmp.types import Budget

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


class Purse:
    """What has been spent, and what is set aside for requests under way.

    Args:
        budget: The bounds.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._lock = threading.Lock()
        self._began_s = time.monotonic()
        self._calls = 0
        self._tokens = 0
        self._usd = 0.0

    def worst_price(self, body: Mapping[str, Any], url: str) -> Price:
        """What a request takes if its answer is as long as it may be; nothing where no bound asks.

        Args:
            body: The request.
            url: Where it is sent.
        """
        if self._budget.tokens is None and self._budget.usd is None:
            return Price()
        size = len(json.dumps(body, ensure_ascii=False, default=str).encode())
        asked = math.ceil(size / BYTES_PER_TOKEN)
        limits = (body.get(name) for name in OUTPUT_LIMITS)
        limit = next((limit for limit in limits if isinstance(limit, int)), None)
        n = body.get("n")
        answered = (limit or MOST_OUTPUT_TOKENS) * (n if isinstance(n, int) else 1)
        usd: float | None = 0.0
        if self._budget.usd is not None:
            usd = cost_usd(str(body.get("model") or ""), asked, answered, url=url)
        return Price(tokens=asked + answered, usd=usd)

    def set_aside(self, worst: Price, model: str) -> str:
        """Reserve what a request takes at worst.

        Returns:
            Why it must not be sent, in words; "" when it may.
        """
        budget = self._budget
        with self._lock:
            minutes = (time.monotonic() - self._began_s) / 60
            if budget.minutes is not None and minutes >= budget.minutes:
                return _over("minutes", budget.minutes, "have passed")
            if budget.calls is not None and self._calls + 1 > budget.calls:
                return _over("calls", budget.calls, "are made")
            if budget.tokens is not None and self._tokens + worst.tokens > budget.tokens:
                return _over("tokens", budget.tokens, "may not do for the next call")
            if budget.usd is not None:
                if worst.usd is None:
                    return (
                        f"budget: the price of {model!r} is unknown, so budget.usd cannot be kept."
                        " Use budget.tokens"
                    )
                if self._usd + worst.usd > budget.usd:
                    return _over("usd", budget.usd, "may not do for the next call")
            self._calls += 1
            self._tokens += worst.tokens
            self._usd += worst.usd or 0.0
        return ""

    def settle(self, worst: Price, spent: Price, *, sent: bool = True) -> None:
        """Put back what a request did not take.

        Args:
            worst: What was set aside for it.
            spent: What it took.
            sent: Whether it counts as a call: a recorded reply does not.
        """
        with self._lock:
            self._calls -= not sent
            self._tokens += spent.tokens - worst.tokens
            self._usd += (spent.usd or 0.0) - (worst.usd or 0.0)


def _over(what: str, bound: float, how: str) -> str:
    return f"budget: the {bound:g} of budget.{what} {how}"
