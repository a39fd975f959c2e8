"""A cassette: a folder with one file for each request, made to be committed and reviewed."""

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from vcmp.digests import digest_of
from vcmp.errors import ResultsError
from vcmp.files import write_whole
from vcmp.provider.cassettes.recordings import RecordedReply, from_json
from vcmp.secrets import scrub

SCHEMA = 1
"""Version of the files' layout; a reader refuses one it does not know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked, without secrets."""

    method: str
    path: str
    """Below the API's base URL: `/chat/completions`."""
    body: Any
    """A JSON value; None for none."""
    upstream: str = ""
    """Whom it is put to, where another's reply is none: the base URL, without a password; "" where
    whoever was asked answers it."""

    @property
    def digest(self) -> str:
        """Equal for requests that one reply answers: a model cannot tell them apart."""
        own = [self.method, self.path, self.body]
        return digest_of([*own, self.upstream] if self.upstream else own)

    def to_json(self) -> dict[str, Any]:
        """As it stands in a file."""
        own = {"method": self.method, "path": self.path, "body": self.body}
        return {**own, "upstream": self.upstream} if self.upstream else own


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A request, and all replies that were recorded, in the order of their places."""

    request: Request
    replies: tuple[RecordedReply, ...] = ()

    @property
    def name(self) -> str:
        """Of its file."""
        return f"{self.request.digest}.json"


class Cassette:
    """The files in a folder, which several processes may read and write at once.

    Args:
        folder: Made with the first recording.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def entry(self, request: Request) -> Entry:
        """What was recorded of a request; without replies when nothing was.

        Raises:
            ResultsError: The file is damaged.
        """
        path = self.folder / f"{request.digest}.json"
        return _read(path) if path.exists() else Entry(request=request)

    def entries(self) -> Iterator[Entry]:
        """All, in the order of their names.

        Raises:
            ResultsError: A file is damaged.
        """
        return (_read(path) for path in sorted(self.folder.glob("*.json")))

    def keep(
        self, request: Request, reply: RecordedReply, may_replace: Callable[[RecordedReply], bool]
    ) -> RecordedReply:
        """Add a reply, or put it in the place of one that was recorded earlier.

        Args:
            request: What it answers.
            reply: Secrets are taken out of it.
            may_replace: Whether it may take the place of what is there; else it is put behind all
                of its slot.

        Returns:
            The reply as it is kept. The earlier one stays when both say the same.
        """
        reply = replace(reply, content=scrub(reply.content))
        with self._locked():
            entry = self.entry(request)
            places = {other.place: other for other in entry.replies}
            there = places.get(reply.place)
            if there and not may_replace(there):
                numbers = [other.number for other in entry.replies if other.slot == reply.slot]
                reply = replace(reply, number=max(numbers) + 1)
            elif there and there.says_the_same(reply):
                return there
            places[reply.place] = reply
            kept = tuple(places[place] for place in sorted(places))
            self._write(Entry(request=request, replies=kept))
        return reply

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """The folder itself is locked, so that no file of a lock's has to be committed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _write(self, entry: Entry) -> None:
        document = {
            "schema": SCHEMA,
            "request": entry.request.to_json(),
            "replies": [reply.to_json() for reply in entry.replies],
        }
        text = json.dumps(document, indent=1, ensure_ascii=True)
        write_whole(self.folder / entry.name, [f"{text}\n"])


def _read(path: Path) -> Entry:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != SCHEMA:
            raise ValueError(f"its layout is {document['schema']!r}, this vcmp reads {SCHEMA}")
        return Entry(
            request=Request(**document["request"]),
            replies=tuple(map(from_json, document["replies"])),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = str(error).splitlines()[0]
        raise ResultsError(
            f"{path}: is no recording ({what}).\n"
            "  Restore it, or delete it and record it again: provider=record"
        ) from error
