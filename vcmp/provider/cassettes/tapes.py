"""The three ways to use a cassette: record over it, add to it, play it."""

import threading
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from vcmp.calls import Source
from vcmp.errors import ResultsError
from vcmp.provider.cassettes.choosing import choose
from vcmp.provider.cassettes.folder import Cassette, Entry, Request
from vcmp.provider.cassettes.misses import exhausted, missing
from vcmp.provider.cassettes.recordings import RecordedReply
from vcmp.provider.loopback.marks import Mark

EXPLAINED = 20
"""So many misses name the nearest recording; to look for it takes time, and nobody reads more."""


class Tape(Protocol):
    """What a deck asks before it asks a model, and tells afterwards."""

    source: Source
    """Of what is found."""
    upstream: str
    """Base URL of the API whose replies alone may be found; "" for any."""

    def place(self, request: Request, mark: Mark) -> Mark:
        """The mark with a number, when the sender gave none: calls in order of arrival."""
        ...

    def find(self, request: Request, mark: Mark, /) -> RecordedReply | None:
        """The recorded reply; None when a model has to be asked.

        Raises:
            MissingError: No model may be asked.
        """
        ...

    def keep(self, request: Request, mark: Mark, reply: RecordedReply, /) -> None:
        """Take in what a model replied."""
        ...


class _Counting:
    """Numbers the requests whose sender did not."""

    upstream = ""

    def __init__(self) -> None:
        self._arrived: Counter[Any] = Counter()
        self._lock = threading.Lock()

    def place(self, request: Request, mark: Mark) -> Mark:
        """The mark with a number."""
        if mark.slot and mark.number is not None:
            return mark
        key = (request.digest, mark.slot)
        with self._lock:
            if key not in self._arrived:
                self._arrived[key] = self._n_before(request, mark)
            self._arrived[key] += 1
            return Mark(slot=mark.slot, number=self._arrived[key] - 1, token=mark.token)

    def _n_before(self, _request: Request, _mark: Mark) -> int:
        """How many such calls have been made before this run."""
        return 0


class _Keeping(_Counting):
    """Remembers for which call each reply was kept."""

    def __init__(self, cassette: Cassette) -> None:
        super().__init__()
        self.cassette = cassette
        self.failure: Exception | None = None
        """Why a reply could not be kept, the first time."""
        self._kept: dict[Any, str] = {}
        self._keeping = threading.Lock()

    def keep(self, request: Request, mark: Mark, reply: RecordedReply) -> None:
        """Put a reply into the cassette; a call that was repeated counts once.

        A disk that is full takes no reply from the agent: it is paid for.
        """

        def may_replace(there: RecordedReply) -> bool:
            known = self._kept.get((request.digest, there.place))
            return self._replaces if known is None else bool(mark.token) and known == mark.token

        with self._keeping:
            try:
                kept = self.cassette.keep(request, reply, may_replace)
            except (OSError, ResultsError) as failure:
                self.failure = self.failure or failure
                return
            self._kept[request.digest, kept.place] = mark.token

    _replaces = False
    """Whether what was there before is recorded over."""


class Recorder(_Keeping):
    """Every model is asked; replies of earlier recordings are replaced place by place.

    Args:
        cassette: Where replies are kept.
        goes_on: Whether an earlier run of the sweep has begun the recording: what it kept of calls
            whose slot nobody knows stays, since nobody knows which of them are made again.
    """

    source: Source = "live"
    _replaces = True

    def __init__(self, cassette: Cassette, *, goes_on: bool = False) -> None:
        super().__init__(cassette)
        self._goes_on = goes_on

    def _n_before(self, request: Request, mark: Mark) -> int:
        if mark.slot or not self._goes_on:
            return 0
        with suppress(ResultsError):  # of a damaged file `keep` tells
            replies = self.cassette.entry(request).replies
            return 1 + max((reply.number for reply in replies if not reply.slot), default=-1)
        return 0

    def find(self, _request: Request, _mark: Mark, /) -> RecordedReply | None:
        """Nothing: every call is made anew."""
        return None


class Cache(_Keeping):
    """What is there is played, all else is asked and added.

    Args:
        cassette: Where replies are looked for and kept.
        upstream: Base URL of the API that is asked, without a password: what another has said is
            not played.
    """

    source: Source = "cached"

    def __init__(self, cassette: Cassette, upstream: str) -> None:
        super().__init__(cassette)
        self.upstream = upstream

    def find(self, request: Request, mark: Mark) -> RecordedReply | None:
        """The reply of the same slot, or of another one that was there before this run.

        Versions that run side by side and ask the same are not answered with one reply: whether
        they were would hang on which was first.
        """
        replies = [
            reply
            for reply in self.cassette.entry(request).replies
            if reply.slot == mark.slot or (request.digest, reply.place) not in self._kept
        ]
        return choose(replies, mark.slot, mark.number or 0)


class Player(_Counting):
    """Only what was recorded answers.

    Args:
        cassette: Read whole, once.

    Raises:
        ResultsError: A file is damaged.
    """

    source: Source = "replayed"

    def __init__(self, cassette: Cassette) -> None:
        super().__init__()
        self.folder: Path = cassette.folder
        self._entries: Mapping[str, Entry] = {
            entry.request.digest: entry for entry in cassette.entries()
        }
        self._n_missed = 0

    @property
    def n_requests(self) -> int:
        """How many different requests were recorded."""
        return len(self._entries)

    @property
    def models(self) -> set[str]:
        """The models that say they replied."""
        return {reply.model for entry in self._entries.values() for reply in entry.replies}

    def find(self, request: Request, mark: Mark) -> RecordedReply:
        """The recorded reply.

        Raises:
            MissingError: There is none.
        """
        entry = self._entries.get(request.digest)
        if entry is None:
            self._n_missed += 1
            explained = self._n_missed <= EXPLAINED
            raise missing(request, self._entries.values() if explained else None, self.folder)
        return self._choose(entry, mark)

    def _choose(self, entry: Entry, mark: Mark) -> RecordedReply:
        """Calls that nobody marked, then or now, are matched in order of their arrival."""
        number = mark.number or 0
        found = choose(entry.replies, mark.slot, number) if mark.slot else None
        if found:
            return found
        loose = [reply for reply in entry.replies if not (mark.slot and reply.slot)]
        turn = self.place(entry.request, Mark()).number if mark.slot else number
        if turn is not None and turn < len(loose):
            return loose[turn]
        raise exhausted(entry.replies, mark.slot, number, self.folder)

    def keep(self, _request: Request, _mark: Mark, _reply: RecordedReply, /) -> None:
        """Nothing: no model is asked."""
