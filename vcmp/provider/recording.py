"""Providers with a cassette that is meant to be kept: one records it, one plays it."""

from contextlib import ExitStack
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from vcmp.errors import ConfigError, EvaluationError
from vcmp.provider.cassettes import Cassette, Player, Recorder, deck
from vcmp.provider.environment import given_url, openai_environment
from vcmp.provider.loopback.shapes import MODEL
from vcmp.provider.remote import (
    DEFAULT_KEY_ENV,
    address,
    checked_url,
    host,
    optional_key,
    required_key,
)
from vcmp.types import Answerer

CASSETTE = "cassettes"
API_KEY = "replay-needs-no-key"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_PROBE_TIMEOUT_S = 5.0


class Record:
    """Asks a model and records every reply.

    Args:
        cassette: Folder for the recordings; relative to the project folder. What it holds already
            is recorded over, call by call; what is not asked again stays.
        upstream: Base URL of the API to ask; null for `OPENAI_BASE_URL` of the environment, else
            OpenAI's address.
        api_key_env: Name of the environment variable that holds the key. Of an `upstream` that is
            given, the default may be unset, and null means that there is no key.

    Raises:
        ConfigError: `upstream` is no address; on entering, when the variable is not set.
        EvaluationError: On leaving, when a reply could not be kept; the agent has had it.
    """

    def __init__(
        self,
        cassette: str = CASSETTE,
        upstream: str | None = None,
        api_key_env: str | None = DEFAULT_KEY_ENV,
    ) -> None:
        self.cassette = cassette
        self.upstream = checked_url(upstream or given_url(), "upstream", "record")
        self._api_key_env = api_key_env
        self._optional = upstream is not None or api_key_env is None
        self._scripted = False
        self._tape = Recorder(Cassette(Path(cassette)))
        self._goes_on = False
        self._entered = ExitStack()

    def go_on(self) -> None:
        """Keep what an earlier run of the sweep has recorded of child processes, whose calls nobody
        can tell apart; to be said before it is entered."""
        self._goes_on = True

    @property
    def answerer(self) -> Answerer:
        """Who answers while this is entered."""
        who = (
            "scripted demo, no language model was called"
            if self._scripted
            else f"OpenAI-compatible API at {host(self.upstream)}"
        )
        return Answerer(
            name="record",
            scripted=self._scripted,
            description=f"{who}; recorded in {self.cassette}",
            address=address(self.upstream),
        )

    def __enter__(self) -> Self:
        key = self._key()
        self._scripted = _is_scripted(self.upstream, key)
        self._tape = Recorder(Cassette(Path(self.cassette)), goes_on=self._goes_on)
        url = self._entered.enter_context(deck(self._tape, self.upstream))
        self._entered.enter_context(openai_environment(url, key, self.upstream))
        return self

    def _key(self) -> str:
        if self._optional or self._api_key_env is None:
            return optional_key(self._api_key_env, "record")
        return required_key(self._api_key_env, "record")

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        self._entered.close()
        if kind is None and self._tape.failure:
            raise EvaluationError(
                f"provider=record: {self.cassette} is not complete: {self._tape.failure}\n"
                "  The results are. Make room or give access, and record again"
            )


def _is_scripted(url: str, key: str) -> bool:
    """Whether vcmp's own demo listens there: its answers must not pass for a model's.

    Only servers of this machine are asked.
    """
    if urlsplit(url).hostname not in _LOOPBACK:
        return False
    import httpx2

    try:
        reply = httpx2.get(
            f"{url.rstrip('/')}/models",
            headers={"Authorization": f"Bearer {key}"},
            timeout=_PROBE_TIMEOUT_S,
        )
    except httpx2.HTTPError:
        return False
    return MODEL in reply.text


class Replay:
    """Answers with what was recorded, and with nothing else: no key, no network.

    Args:
        cassette: Folder with the recordings; relative to the project folder.

    Raises:
        ConfigError: On entering, when nothing is recorded there.
        ResultsError: On entering, when a file is damaged.
        EvaluationError: On leaving, when a call had no recording: what follows from the others says
            nothing about the versions.
    """

    def __init__(self, cassette: str = CASSETTE) -> None:
        self.cassette = cassette
        self.missed: list[str] = []
        """What there was no recording for, a message for each request."""
        self._scripted = False
        self._entered = ExitStack()

    @property
    def answerer(self) -> Answerer:
        """Who answers while this is entered."""
        what = "recordings of the scripted demo" if self._scripted else "recordings"
        return Answerer(
            name="replay",
            scripted=self._scripted,
            reuses=True,
            description=f"{what} in {self.cassette}, no language model was called now",
        )

    def __enter__(self) -> Self:
        player = Player(Cassette(Path(self.cassette)))
        if not player.n_requests:
            raise ConfigError(
                f"provider=replay: there is no recording in {self.cassette!r}.\n"
                f"  Record it first: provider=record provider.cassette={self.cassette}"
            )
        self.missed.clear()
        self._scripted = MODEL in player.models
        url = self._entered.enter_context(deck(player, alone=self.missed.append))
        self._entered.enter_context(openai_environment(url, API_KEY))
        return self

    def __exit__(self, kind: type[BaseException] | None, *_exception: object) -> None:
        self._entered.close()
        if kind is None:
            self.refuse_missing()

    def refuse_missing(self) -> None:
        """Raise an `EvaluationError` when a call had no recording."""
        if not self.missed:
            return
        n = len(self.missed)
        first, _, rest = self.missed[0].partition("\n")
        more = f" ({n} calls had none)" if n > 1 else ""
        raise EvaluationError(f"provider=replay: {first}{more}" + (f"\n{rest}" if rest else ""))
