"""Stores that fail on demand: a real MLflow server, and the line to it, which can be cut."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from tests.conftest import ROOT

START_S = 90.0
NEW_TRACE = b"POST /api/3.0/mlflow/traces "
"""Begins the request with which a trace is written."""


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


@contextmanager
def mlflow_server(database: Path, artifacts: Path) -> Iterator[int]:
    """`mlflow server` on a SQLite file, with as few processes as it takes; its port."""
    port = free_port()
    command = [
        sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1",
        "--port", str(port), "--backend-store-uri", f"sqlite:///{database}",
        "--artifacts-destination", artifacts.as_uri(),
    ]  # fmt: skip
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    server = subprocess.Popen(
        command,
        env={**clean, **quiet},
        cwd=artifacts.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _await(f"http://127.0.0.1:{port}/health")
        yield port
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _await(url: str) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    raise TimeoutError(f"{url} did not answer within {START_S} s")


class Line:
    """A TCP line to a server, which can be cut and mended, and watched for new traces."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._sockets: set[socket.socket] = set()
        self._on_trace: Callable[[], None] | None = None
        self._left = 0
        self._lock = threading.Lock()
        self.port = free_port()
        self.mend()

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def mend(self) -> None:
        """Take connections."""
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse connections, and reset those there are: the server is gone."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in list(self._sockets):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def on_trace(self, number: int, action: Callable[[], None]) -> None:
        """Do something when the so-and-so-many-th trace from now is written, before the server
        hears of it."""
        self._left, self._on_trace = number, action

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                return
            self._sockets |= {near, far}
            for source, sink, watched in ((near, far, True), (far, near, False)):
                threading.Thread(
                    target=self._carry, args=(source, sink, watched), daemon=True
                ).start()

    def _carry(self, source: socket.socket, sink: socket.socket, watched: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if watched and NEW_TRACE in data and self._is_due(data.count(NEW_TRACE)):
                    assert self._on_trace
                    self._on_trace()
                    break
                sink.sendall(data)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
            self._sockets.discard(each)

    def _is_due(self, number: int) -> bool:
        with self._lock:
            before, self._left = self._left, self._left - number
            return self._on_trace is not None and before > 0 >= self._left


@contextmanager
def exclusive_lock(database: Path) -> Iterator[Callable[[], None]]:
    """Another process that keeps a SQLite file to itself, until the block ends or the callable that
    it gives is called."""
    code = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(database)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as holder:
        assert holder.stdout
        assert holder.stdin
        holder.stdout.readline()
        try:
            yield holder.stdin.close
        finally:
            holder.stdin.close()


def count(database: Path, table: str) -> int:
    """Rows of a table of MLflow's."""
    with closing(sqlite3.connect(database)) as connection:
        (number,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(number)
