"""A server on the loopback that can be stopped while clients still hold their connections."""

import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Server(ThreadingHTTPServer):
    """One thread for each connection; `stop` ends those that clients still hold open.

    Args:
        handler: A handler class, or a partial of one that has been given what it needs.
        port: 0 for any that is free.
    """

    request_queue_size = 512
    daemon_threads = True

    def __init__(self, handler: Callable[..., BaseHTTPRequestHandler], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self._open: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()
        # asked for every 0.05 s, so that stopping takes no longer
        self._accepting = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        """The base URL a client needs."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve one connection, remembered so that `stop` can end it."""
        thread = threading.current_thread()
        with self._lock:
            self._open[thread] = request
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._open.pop(thread, None)

    def stop(self) -> None:
        """Close the port and every connection; returns when the threads have ended, or in 2 s."""
        self.shutdown()
        self._accepting.join()
        self.server_close()
        with self._lock:
            connections = dict(self._open)
        for connection in connections.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        end = time.monotonic() + 2
        for thread in connections:
            thread.join(timeout=max(0.0, end - time.monotonic()))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away in the middle of a reply is no news."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)
