"""A server on the loopback that speaks the OpenAI API and calls no language model."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from vcmp.provider.environment import openai_environment
from vcmp.provider.loopback import shapes
from vcmp.provider.loopback.marks import HEADER, Mark, read_mark
from vcmp.provider.loopback.origins import serving
from vcmp.provider.loopback.requests import RequestError, read_chat, read_responses
from vcmp.provider.loopback.server import Server
from vcmp.provider.scripted.clerk import Clerk
from vcmp.provider.scripted.faq import load_faq
from vcmp.types import Answerer

API_KEY = "scripted-needs-no-key"
DESCRIPTION = "scripted demo, no language model was called"


class Scripted:
    """Answers from a hand-written FAQ; no language model is called.

    Entering starts a server on 127.0.0.1, with a memory of its own of what was asked.

    Args:
        faq: Path of a YAML list of entries with `id`, `keywords`, `facts`, and perhaps `steps` and
            `feeling`; relative to the project folder.

    Raises:
        ConfigError: The FAQ cannot be read.
    """

    def __init__(self, faq: str) -> None:
        self._faq = load_faq(faq)
        self._entered = ExitStack()

    @property
    def answerer(self) -> Answerer:
        """Who answers while this is entered."""
        return Answerer(name="scripted", scripted=True, description=DESCRIPTION)

    def __enter__(self) -> Self:
        server = Server(partial(Desk, Clerk(self._faq)))
        self._entered.callback(server.stop)
        self._entered.enter_context(serving(server.url))
        self._entered.enter_context(openai_environment(server.url, API_KEY))
        return self

    def __exit__(self, *_exception: object) -> None:
        self._entered.close()


class Desk(BaseHTTPRequestHandler):
    """Takes one connection's requests and hands them to the clerk."""

    protocol_version = "HTTP/1.1"
    server_version = "vcmp"
    disable_nagle_algorithm = True
    wbufsize = -1

    def __init__(self, clerk: Clerk, *connection: Any) -> None:
        self.clerk = clerk
        super().__init__(*connection)  # serves the connection to its end

    def do_GET(self) -> None:
        """List the models."""
        if self.path.partition("?")[0].rstrip("/") == "/v1/models":
            model = {"id": shapes.MODEL, "object": "model", "created": 0, "owned_by": "vcmp"}
            self._send(200, {"object": "list", "data": [model]})
        else:
            self._refuse(404, f"unknown address: GET {self.path}")

    def do_POST(self) -> None:
        """Answer."""
        try:
            body = self._body()
            match self.path.partition("?")[0].rstrip("/"):
                case "/v1/chat/completions":
                    self._chat(body)
                case "/v1/responses":
                    self._respond(body)
                case _:
                    self._refuse(404, f"unknown address: POST {self.path}")
        except RequestError as error:
            self._refuse(400, str(error), error.param)

    def _body(self) -> Mapping[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self.close_connection = True
            raise RequestError("a body with a Content-Length is needed")
        try:
            body = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError) as error:
            raise RequestError(f"the body is not JSON: {error}") from error
        if not isinstance(body, Mapping):
            raise RequestError("the body is not a JSON object")
        return body

    def _chat(self, body: Mapping[str, Any]) -> None:
        request = read_chat(body)
        reply = self.clerk.answer(request, body, self._mark())
        if request.stream:
            self._write(200, "text/event-stream", shapes.chat_stream(reply, request.stream_usage))
        else:
            self._send(200, shapes.chat_body(reply))

    def _respond(self, body: Mapping[str, Any]) -> None:
        request = read_responses(body)
        reply = self.clerk.answer(request, body, self._mark())
        if request.stream:
            self._write(200, "text/event-stream", shapes.response_stream(reply))
        else:
            self._send(200, shapes.response_body(reply))

    def _mark(self) -> Mark:
        return read_mark(self.headers.get(HEADER))

    def _refuse(self, status: int, message: str, param: str | None = None) -> None:
        self._send(status, shapes.error_body(message, "invalid_request_error", param))

    def _send(self, status: int, body: Mapping[str, Any]) -> None:
        self._write(status, "application/json", json.dumps(body).encode())

    def _write(self, status: int, kind: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, *_message: object) -> None:
        """Requests are not logged: what was asked stands in the results."""
