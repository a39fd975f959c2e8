"""Record a reply now, or, when it is a stream, once it has ended or its case has."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, closing
from typing import Any

from vcmp.calls import expect
from vcmp.provider.metering.exchange import Exchange
from vcmp.provider.metering.failures import BrokenReplyError
from vcmp.provider.metering.readings import Gathering, read_reply


def watch(reply: Any, exchange: Exchange) -> Any:
    """End `exchange` with `reply`; a stream ends it when it is exhausted, fails or is closed."""
    from openai import AsyncStream, Stream
    from openai._legacy_response import LegacyAPIResponse
    from openai._response import BaseAPIResponse

    if isinstance(reply, Stream | AsyncStream):
        exchange.hand_over()
    if isinstance(reply, Stream):
        _watch_stream(reply, _Watched(reply._iterator, exchange), reply.response.close)
    elif isinstance(reply, AsyncStream):
        _watch_async(reply, _WatchedAsync(reply._iterator, exchange), reply.response.aclose)
    elif isinstance(reply, LegacyAPIResponse) and reply._stream:
        _watch_parse(reply, exchange)
    elif isinstance(reply, LegacyAPIResponse):
        exchange.end(read_reply(_json(reply.http_response)))
    elif isinstance(reply, BaseAPIResponse):
        exchange.end()  # the caller reads the body, in pieces of its own choice
    else:
        exchange.end(read_reply(reply))
    return reply


def _json(response: Any) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _watch_parse(reply: Any, exchange: Exchange) -> None:
    """`with_raw_response.create(stream=True)`: the stream is made when it is asked for."""
    parse = reply.parse

    def parse_watched(**how: Any) -> Any:
        reply.parse = parse
        return watch(parse(**how), exchange)

    reply.parse = parse_watched


def _watch_stream(stream: Any, watched: "_Watched", close: Callable[[], None]) -> None:
    def close_watched() -> None:
        close()
        watched.end()

    events = stream._iter_events

    def iter_events() -> Iterator[Any]:
        with closing(events()) as passing:
            for event in passing:
                watched.look_at(event)
                yield event

    stream._iter_events = iter_events
    stream._iterator = watched
    stream.close = close_watched


def _watch_async(stream: Any, watched: "_WatchedAsync", close: Callable[[], Any]) -> None:
    async def close_watched() -> None:
        await close()
        watched.end()

    events = stream._iter_events

    async def iter_events() -> AsyncIterator[Any]:
        async with aclosing(events()) as passing:
            async for event in passing:
                watched.look_at(event)
                yield event

    stream._iter_events = iter_events
    stream._iterator = watched
    stream.close = close_watched


_END = object()


class _Ending:
    """Gathers the chunks of a stream and ends its exchange once."""

    def __init__(self, chunks: Any, exchange: Exchange) -> None:
        self._chunks = chunks
        self._exchange = exchange
        self._gathering = Gathering()
        expect(self)

    def look_at(self, event: Any) -> None:
        """The SDK ends a stream at this event and does not show it."""
        if event.data.startswith("[DONE]"):
            self._gathering.end()

    def end(self, error: BaseException | None = None) -> None:
        if error is None and self._gathering.failure:
            error = BrokenReplyError(self._gathering.failure)
        self._exchange.end(self._gathering.reading, error)

    def end_exhausted(self) -> None:
        """End where there is nothing more to read; raise where that is too early.

        The SDK ends as if that were all, and the agent would give half an answer.
        """
        error = BrokenReplyError(self._gathering.lack) if self._gathering.lack else None
        self.end(error)
        if error:
            raise error

    def __del__(self) -> None:
        self.end()


class _Watched(_Ending):
    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        try:
            chunk = self._exchange.within_deadline(next, self._chunks, _END)
        except BaseException as error:
            self.end(error)
            raise
        if chunk is _END:
            self.end_exhausted()
            raise StopIteration
        self._gathering.add(chunk)
        return chunk


class _WatchedAsync(_Ending):
    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        try:
            async with self._exchange.deadline():
                chunk = await anext(self._chunks)
        except StopAsyncIteration:
            self.end_exhausted()
            raise
        except BaseException as error:
            self.end(error)
            raise
        self._gathering.add(chunk)
        return chunk
