"""The server that plays and records: it stands between the agent and the model."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any

from vcmp.digests import canonical_json
from vcmp.errors import ResultsError
from vcmp.provider.cassettes.folder import Request
from vcmp.provider.cassettes.misses import MissingError, unreadable
from vcmp.provider.cassettes.recordings import EVENTS, JSON, RecordedReply, read_content
from vcmp.provider.cassettes.tapes import Tape
from vcmp.provider.cassettes.upstream import Upstream, headers_of
from vcmp.provider.loopback import origins, shapes
from vcmp.provider.loopback.marks import HEADER, Mark, read_mark
from vcmp.provider.loopback.origins import Origin, Refuse
from vcmp.provider.loopback.server import Server
from vcmp.provider.metering.failures import NOT_RECORDED, UNPAID, redirected
from vcmp.secrets import scrub

if TYPE_CHECKING:
    from httpx2 import Response

ROOT = "/v1"


@contextmanager
def deck(tape: Tape, url: str = "", *, alone: Refuse | None = None) -> Iterator[str]:
    """Serve a tape on the loopback.

    Args:
        tape: What is played, and where replies are kept.
        url: Base URL of the API to ask; "" when none may be asked.
        alone: Given when no model may be asked: told of every request that got no reply, also by
            clients that have an address of their own.

    Yields:
        The base URL for clients.
    """
    upstream = Upstream(url) if url else None
    server = Server(partial(Deck, tape, upstream, alone))
    try:
        with origins.serving(server.url, alone=alone, asks_leave=True):
            yield server.url
    finally:
        server.stop()  # first: replies that are under way have a moment to be kept
        if upstream:
            upstream.close()


class Deck(BaseHTTPRequestHandler):
    """One client's connection."""

    protocol_version = "HTTP/1.1"
    server_version = "vcmp"
    disable_nagle_algorithm = True
    wbufsize = -1

    def __init__(
        self, tape: Tape, upstream: Upstream | None, refused: Refuse | None, *connection: Any
    ) -> None:
        self.tape, self.upstream, self.refused = tape, upstream, refused
        super().__init__(*connection)  # serves the connection to its end

    def do_POST(self) -> None:
        """Answer, from the tape or from the model."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        mark = read_mark(self.headers.get(HEADER))
        request = self._read(body)
        found = None
        try:
            if request is not None:
                mark = self.tape.place(request, mark)
                found = self.tape.find(request, mark)
            elif self.upstream is None:
                raise unreadable()
        except MissingError as error:
            origins.tell(mark.token, Origin(source=self.tape.source))
            self._refuse(str(error))
            return
        except ResultsError as error:  # a damaged file, which no repetition mends
            self._fail(422, "invalid_request_error", str(error))
            return
        if found is None and not origins.may_ask(mark.token):
            self._fail(402, "invalid_request_error", "not paid for", UNPAID)
        elif found is None:
            self._ask(body, request, mark)
        else:
            origins.tell(mark.token, Origin(source=self.tape.source, url=found.api))
            self._send(200, {"Content-Type": found.kind}, found.body)

    do_GET = do_DELETE = do_PUT = do_PATCH = do_POST  # noqa: N815 - http.server's names

    def _read(self, body: bytes) -> Request | None:
        """What is asked; None for what is not JSON: an upload has another boundary every time."""
        try:
            asked = json.loads(body) if body else None
        except (ValueError, RecursionError):
            return None
        # sorted, so that a file does not change with the order of an agent's arguments
        plain = json.loads(canonical_json(scrub(asked)))
        return Request(
            method=self.command,
            path=self.path.removeprefix(ROOT),
            body=plain,
            upstream=self.tape.upstream,
        )

    def _ask(self, body: bytes, request: Request | None, mark: Mark) -> None:
        import httpx2

        assert self.upstream is not None
        path = self.path.removeprefix(ROOT)
        headers = dict(self.headers.items())
        origins.tell(mark.token, Origin(url=self.upstream.api))
        begun = False
        try:
            with self.upstream.send(self.command, path, headers, body) as response:
                begun = _kind(response) == EVENTS
                content = self._pass_on(response) if begun else response.read()
                if request is not None and response.status_code == 200:
                    self._keep(request, mark, _kind(response), content)
        except (httpx2.HTTPError, RuntimeError) as error:  # RuntimeError: closed meanwhile
            self._break(error, begun)
            return
        if begun:
            self._write(b"0\r\n\r\n")
        elif response.has_redirect_location:  # a client that follows would leave the cassette
            self._fail(400, "invalid_request_error", redirected(response.headers))
        else:
            self._send(response.status_code, headers_of(response.headers), content)

    def _pass_on(self, response: "Response") -> bytes:
        """Send a stream on piece by piece.

        It is read to its end even when nobody listens any more: it is paid for, and an agent that
        stops listening early does so when it is played, too.
        """
        self._begin(response.status_code, headers_of(response.headers))
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        pieces = []
        for piece in response.iter_bytes():
            pieces.append(piece)
            self._write(b"%x\r\n%s\r\n" % (len(piece), piece))
        return b"".join(pieces)

    def _keep(self, request: Request, mark: Mark, kind: str, body: bytes) -> None:
        content = read_content(kind, body)
        if content is None or self.upstream is None:
            return
        reply = RecordedReply(
            slot=mark.slot,
            number=mark.number or 0,
            api=self.upstream.api,
            kind=kind,
            content=content,
        )
        self.tape.keep(request, mark, reply)

    def _refuse(self, message: str) -> None:
        if self.refused:
            self.refused(message)
        self._fail(404, "invalid_request_error", message, NOT_RECORDED)

    def _fail(self, status: int, kind: str, message: str, code: str | None = None) -> None:
        error = shapes.error_body(message, kind, code=code)
        self._send(status, {"Content-Type": JSON}, json.dumps(error).encode())

    def _break(self, error: Exception, begun: bool) -> None:
        """Let the client see what has become of its request."""
        self.close_connection = True
        if not begun:
            what = f"{type(error).__name__}: {error}".rstrip(": ")
            message = f"{self.upstream and self.upstream.api} did not reply ({what})"
            self._fail(502, "server_error", message)

    def _send(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._begin(status, headers)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self._write(body)

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)

    def _write(self, data: bytes) -> None:
        try:
            self.wfile.write(data)
            self.wfile.flush()
        except OSError:  # nobody listens any more
            self.close_connection = True

    def log_message(self, *_message: object) -> None:
        """Requests are not logged: what was asked stands in the results."""


def _kind(response: "Response") -> str:
    return str(response.headers.get("content-type", "")).partition(";")[0].strip().lower()
