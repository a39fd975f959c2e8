"""The API behind a cassette."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from httpx2 import Response

READ_TIMEOUT_S = 600.0
"""For one read; whoever asks has a deadline of their own, and this one frees the thread."""
_CONNECT_TIMEOUT_S = 30.0
_OF_THE_CONNECTION = {
    "connection", "host", "content-length", "content-encoding", "transfer-encoding",
    "accept-encoding", "keep-alive", "te", "trailer", "upgrade", "date", "server",
}  # fmt: skip


class Upstream:
    """Forwards requests, and their key with them.

    Args:
        url: Its base URL.
    """

    def __init__(self, url: str) -> None:
        import httpx2

        self._url = url.rstrip("/")
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(READ_TIMEOUT_S, connect=_CONNECT_TIMEOUT_S),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=64),
        )

    @property
    def api(self) -> str:
        """Its base URL, without port and password."""
        parts = urlsplit(self._url)
        return urlunsplit((parts.scheme, parts.hostname or "", parts.path, "", ""))

    @contextmanager
    def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> "Iterator[Response]":
        """Send a request; its reply can be read inside of the block.

        Raises:
            httpx2.HTTPError: There is no reply, or it breaks off.
        """
        # compressed events would come late and all at once
        kept = {**headers_of(headers), "accept-encoding": "identity"}
        url = f"{self._url}{path}"
        follow = method != "POST"  # another address would be asked, and paid, unseen
        with self._client.stream(
            method, url, headers=kept, content=body, follow_redirects=follow
        ) as response:
            yield response

    def close(self) -> None:
        """End all connections."""
        self._client.close()


def headers_of(headers: Mapping[str, str]) -> dict[str, str]:
    """What is passed on of headers: all but those of a single connection, and vcmp's own."""
    return {
        name: value
        for name, value in headers.items()
        if name.lower() not in _OF_THE_CONNECTION and not name.lower().startswith("x-vcmp-")
    }
