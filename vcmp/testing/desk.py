"""One connection to the server: requests are read, and met with what the ledger chooses."""

import json
import socket
import struct
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

from vcmp.provider.loopback import shapes
from vcmp.provider.loopback.requests import Request, RequestError
from vcmp.testing.deliveries import Whole
from vcmp.testing.ledger import Ledger
from vcmp.testing.replies import Content, page
from vcmp.testing.requests import APIS, Received, parse

MODELS = "/v1/models"
MODEL = "vcmp-testing"
LOOK_UP_S = 0.05


class Desk(BaseHTTPRequestHandler):
    """Takes one connection's requests, one after the other."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, ledger: Ledger, *connection: Any) -> None:
        self.ledger = ledger
        super().__init__(*connection)  # serves the connection to its end

    def do_GET(self) -> None:
        """List the models."""
        if self._address() == MODELS:
            model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "vcmp"}
            body = json.dumps({"object": "list", "data": [model]})
            self.wfile.write(_bytes(page(200, body.encode())))
        else:
            self._refuse_address()

    def do_POST(self) -> None:
        """Meet a request for an answer with a fault."""
        content = self._content()
        if self._address() not in APIS:
            self._refuse_address()
            return
        body, request = self._read(content)
        question = request.question if isinstance(request, Request) else ""
        with self.ledger.visit(self._address(), dict(self.headers), body, question) as received:
            line = _Line(self, received)
            if isinstance(request, Request):
                self._meet(received, request, line)
            else:
                self.ledger.note(received, "bad_request")
                Whole().send(_error(400, str(request), request.param), line)

    def _content(self) -> bytes:
        """The request's body, of known length or in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        chunks = []
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _read(self, content: bytes) -> tuple[Mapping[str, Any], Request | RequestError]:
        """The body, `{}` when it cannot be read, and what it asks for or why that is unknown."""
        body: Mapping[str, Any] = {}
        try:
            body = parse(content)
            return body, APIS[self._address()](body)
        except RequestError as error:
            return body, error

    def _meet(self, received: Received, request: Request, line: "_Line") -> None:
        """Do what is chosen; what a callable of the test raises is told to both sides."""
        try:
            fault = self.ledger.choose(received)
            content = fault.reply.build(received, request)
        except Exception as error:
            self.ledger.blame(error)
            Whole().send(_error(500, f"a callable of the test failed: {error!r}"), line)
            return
        if fault.delay_s and not line.pause(fault.delay_s):
            line.hang_up()
        else:
            fault.delivery.send(content, line)

    def _address(self) -> str:
        return self.path.partition("?")[0].rstrip("/")

    def _refuse_address(self) -> None:
        known = ", ".join([*APIS, MODELS])
        message = f"unknown address: {self.command} {self.path}; this server has {known}"
        self.wfile.write(_bytes(_error(404, message)))

    def log_message(self, *_message: object) -> None:
        """Requests are not logged: they stand in the ledger."""


class _Line:
    """The connection, as a delivery sees it."""

    def __init__(self, desk: Desk, received: Received) -> None:
        self._desk = desk
        self._received = received

    def write(self, data: bytes) -> None:
        self._desk.wfile.write(data)

    def leave(self) -> None:
        self._desk.ledger.leave(self._received)

    def pause(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        closing = self._desk.ledger.closing
        while (left := end - time.monotonic()) > 0:
            if closing.wait(min(left, LOOK_UP_S)) or self._client_left():
                return False
        return True

    def _client_left(self) -> bool:
        """Whether the client has closed its side."""
        connection: socket.socket = self._desk.connection
        connection.setblocking(False)
        try:
            return not connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            connection.setblocking(True)

    def hang_up(self, reset: bool = False) -> None:
        if reset:  # closing with this option set sends a reset and not an orderly end
            option = struct.pack("ii", 1, 0)
            self._desk.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
            # the last that holds the socket closes it, before the server ends it in order
            self._desk.connection.close()
        self._desk.close_connection = True


def _error(status: int, message: str, param: str | None = None) -> Content:
    body = shapes.error_body(message, "invalid_request_error", param)
    return page(status, json.dumps(body).encode())


def _bytes(content: Content) -> bytes:
    return content.head + content.body
