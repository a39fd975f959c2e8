"""Answers requests of either API: a judge's, one that wants a tool, or a customer's."""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from vcmp.digests import digest_of
from vcmp.provider.loopback.marks import Mark
from vcmp.provider.loopback.requests import Request
from vcmp.provider.loopback.shapes import Reply, cut_text
from vcmp.provider.loopback.tokens import count_tokens
from vcmp.provider.scripted.faq import Faq
from vcmp.provider.scripted.inquiries import read_inquiry
from vcmp.provider.scripted.replies import after_tool, choose_entry, compose, read_style
from vcmp.provider.scripted.tools import choose_tool, fill
from vcmp.provider.scripted.verdicts import judge


class Clerk:
    """Answers from an FAQ.

    The variation of an answer is drawn from the digest of the request's body and from its place:
    the slot it is marked with and its number there, so that a resumed run gets the answers of an
    undisturbed one; without a mark, how many requests with the same body came before it. So a run
    is reproducible, and its repeats differ. At temperature 0 nothing varies.
    """

    def __init__(self, faq: Faq) -> None:
        self._faq = faq
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()

    def answer(self, request: Request, body: Mapping[str, Any], mark: Mark | None = None) -> Reply:
        """The reply to `request`, which was read from `body`.

        Args:
            request: What is asked.
            body: The same, as it came.
            mark: What it is made for.
        """
        digest = digest_of(body)
        place = self._place(digest, mark or Mark())
        tool = choose_tool(request)
        chance = random.Random(f"{digest} {place}")
        text = "" if tool else self._write(request, chance)
        text, cut = cut_text(text, request.max_tokens)
        return Reply(
            id=digest_of([digest, place])[:24],
            created_s=int(time.time()),
            text=text,
            cut=cut,
            tool=tool,
            input_tokens=request.n_tokens,
            output_tokens=count_tokens(tool.get("arguments", text)),
        )

    def _place(self, digest: str, mark: Mark) -> str:
        if mark.slot and mark.number is not None:
            slot = mark.slot
            return f"{slot.variant} {slot.case_id} {slot.repeat} {slot.scorer} {mark.number}"
        with self._lock:
            self._asked[digest] += 1
            return str(self._asked[digest] - 1)

    def _write(self, request: Request, chance: random.Random) -> str:
        inquiry = read_inquiry(request.messages, request.schema)
        if inquiry is not None:
            return json.dumps(judge(inquiry))
        text = self._advise(request, chance)
        if request.schema is None:
            return text
        return json.dumps(fill(request.schema, text) if request.schema else {"answer": text})

    def _advise(self, request: Request, chance: random.Random) -> str:
        entry = choose_entry(self._faq, request.question, request.temperature, chance)
        if request.tool_result is not None:
            return after_tool(_parsed(request.tool_result), entry)
        return compose(entry, read_style(request.prompt), request.temperature, chance)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
