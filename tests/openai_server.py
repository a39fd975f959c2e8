"""An OpenAI-compatible server on the loopback, written from the public description of the API.

It shares no code with vcmp, so what the tests measure with it (requests sent, replies read, faults
survived) is measured from outside.

    with OpenAIServer(answer=lambda *_: "Hello.") as server:
        client = openai.OpenAI(base_url=server.base_url, api_key="any")

Chat Completions and Responses, streamed or not. A request that asks for a judgement, by a schema
with a rationale or, as MLflow's judges do, in words, gets one from `judge`.
"""

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.openai_payloads import (
    Body,
    approve,
    asks_for_judgement,
    completion,
    completion_events,
    error_body,
    repeat_question,
    response,
    response_events,
)

Fault = tuple[Any, ...]


class OpenAIServer:
    """A context manager that serves from entering to leaving.

    Args:
        answer: From the messages (Responses: the input) and the body to a text, or to a message
            such as `{"tool_calls": […]}`, or, for Responses, to a list of output items.
        judge: From the body of a request for a judgement to the JSON object to reply.
        faults: From the number of the request, counted from 0, and its body to None or to one of
            `("status", code, headers, body)`, `("reset",)` the connection before a reply,
            `("cut",)` it in the middle of one, `("hang", seconds)` before one,
            `("drip", seconds)` between any two bytes of one.
        delay_s: Seconds that every answer takes.
        model: The model that says it answered; the one that was asked when "".

    Attributes:
        requests: `{"path", "headers", "body", "time", "judge"}` of each POST in order of arrival;
            names of headers in lower case, time in seconds of `time.monotonic`.
        peak: The most requests that were in flight at once.
    """

    def __init__(
        self,
        answer: Callable[[Any, Body], Any] = repeat_question,
        *,
        judge: Callable[[Body], Mapping[str, Any]] = approve,
        faults: Callable[[int, Body], Fault | None] = lambda *_: None,
        delay_s: float = 0.0,
        model: str = "",
    ) -> None:
        self.answer, self.judge, self.faults = answer, judge, faults
        self.delay_s, self.model = delay_s, model
        self.requests: list[dict[str, Any]] = []
        self.errors: list[Exception] = []
        self.peak = 0
        self.in_flight = 0
        self.lock = threading.Lock()
        self.closing = threading.Event()
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    @property
    def answered(self) -> list[dict[str, Any]]:
        """The requests that were not for a judgement."""
        return [request for request in self.requests if not request["judge"]]

    @property
    def judged(self) -> list[dict[str, Any]]:
        """The requests for a judgement."""
        return [request for request in self.requests if request["judge"]]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.hang_up()
        self._server.server_close()
        if self.errors and kind is None:
            raise self.errors[0]

    def admit(self, path: str, headers: Mapping[str, str], body: Body) -> int:
        """Record a request; its number."""
        entry = {
            "path": path,
            "headers": {name.lower(): value for name, value in headers.items()},
            "body": body,
            "time": time.monotonic(),
            "judge": asks_for_judgement(body),
        }
        with self.lock:
            self.requests.append(entry)
            self.in_flight += 1
            self.peak = max(self.peak, self.in_flight)
            return len(self.requests) - 1

    def leave(self) -> None:
        with self.lock:
            self.in_flight -= 1


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for the threads, and leaves none behind
    request_queue_size = 256

    def __init__(self, owner: OpenAIServer) -> None:
        self.owner = owner
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self.owner.lock:
            self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self.owner.lock:
            self.connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Wake the threads that wait for another request on a kept connection."""
        with self.owner.lock:
            for connection in self.connections:
                if connection.fileno() >= 0:
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, *_: object) -> None:
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, ConnectionError):
            self.owner.errors.append(error)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # one packet for head and body
    server: _Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.endswith("/models"):
            self._reply({"object": "list", "data": [{"id": "any", "object": "model"}]})
        else:
            self._reply(error_body(f"no such path: {self.path}"), 404)

    def do_POST(self) -> None:
        owner = self.server.owner
        announced = int(self.headers["Content-Length"])
        sent = self.rfile.read(announced)
        if len(sent) < announced:
            return  # its sender was killed
        body = json.loads(sent)
        index = owner.admit(self.path, dict(self.headers), body)
        try:
            self._serve(owner, index, body)
        finally:
            owner.leave()

    def _serve(self, owner: OpenAIServer, index: int, body: Body) -> None:
        fault = owner.faults(index, body)
        owner.closing.wait(owner.delay_s)
        match fault:
            case ("status", code, headers, content):
                self._reply(content or error_body(f"status {code}"), code, headers or {})
            case ("reset",):
                # Closing with this option set sends a reset and not an orderly end.
                option = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, option)
                self.server.connections.discard(self.connection)
                self.close_connection = True
                self.connection.close()
            case ("hang", seconds):
                owner.closing.wait(seconds)
                self._answer(owner, index, body)
            case None | ("cut",) | ("drip", _):
                self._answer(owner, index, body, fault)
            case _:
                raise ValueError(f"no such fault: {fault!r}")

    def _answer(
        self, owner: OpenAIServer, index: int, body: Body, fault: Fault | None = None
    ) -> None:
        api = self.path.rpartition("/")[2]
        if api not in ("completions", "responses"):
            self._reply(error_body(f"no such path: {self.path}"), 404)
            return
        asked = body["messages" if api == "completions" else "input"]
        judging = asks_for_judgement(body)
        try:
            said = json.dumps(owner.judge(body)) if judging else owner.answer(asked, body)
        except Exception as error:
            owner.errors.append(error)
            self._reply(error_body(f"the test's own callable failed: {error!r}"), 500)
            return
        make, stream = (
            (completion, completion_events) if api == "completions" else (response, response_events)
        )
        reply = make(said, {**body, "model": owner.model or body.get("model")}, index)
        if body.get("stream"):
            self._stream(stream(reply, body), fault)
        else:
            self._reply(reply, fault=fault)

    def _reply(
        self,
        content: Any,
        code: int = 200,
        headers: Mapping[str, str] | None = None,
        fault: Fault | None = None,
    ) -> None:
        data = (content if isinstance(content, str) else json.dumps(content)).encode()
        self.send_response(code)
        given = {"Content-Type": "application/json", **(headers or {})}
        for name, value in {**given, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        self._send(data, fault)

    def _stream(self, events: Iterator[str], fault: Fault | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            data = event.encode()
            self._send(b"%x\r\n%s\r\n" % (len(data), data), fault)
            if self.close_connection:
                return
        self._send(b"0\r\n\r\n", None)

    def _send(self, data: bytes, fault: Fault | None) -> None:
        match fault:
            case ("cut",):
                self.wfile.write(data[: len(data) // 2])
                self.close_connection = True
            case ("drip", seconds):
                for position in range(len(data)):
                    self.wfile.write(data[position : position + 1])
                    self.wfile.flush()
                    if self.server.owner.closing.wait(seconds):
                        return
            case _:
                self.wfile.write(data)
        self.wfile.flush()
