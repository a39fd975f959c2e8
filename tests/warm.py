"""A process that has imported what `python -m vcmp` imports, and is copied for every command line.

`import mlflow` alone takes seconds of every `python -m vcmp`; a copy of a process that has done it
is there at once. Each copy runs the module `vcmp` as `python -m` would: in the folder, with the
environment and the arguments that it is given. What is imported has not run, so a copy begins as a
new process does; tests of what is imported, and when, have an interpreter of their own.

    python tests/warm.py FOLDER OWNER

It listens at FOLDER/socket for as long as the process OWNER lives.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import resource
import runpy
import select
import shutil
import signal
import socket
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "1",
    "MLFLOW_MODEL_CATALOG_URI": "",
}
"""What vcmp sets before MLflow is imported."""


SLOW = (
    "hydra.main", "hydra._internal.hydra", "hydra._internal.core_plugins.basic_sweeper",
    "hydra._internal.core_plugins.basic_launcher", "hydra_plugins.hydra_joblib_launcher.config",
    "mlflow.genai.scorers", "mlflow.genai.judges.adapters.gateway_adapter", "mlflow.tracing",
    "mlflow.store.tracking.sqlalchemy_workspace_store", "alembic.command",
    "sqlalchemy.dialects.sqlite", "openai.resources.chat.completions",
    "openai.resources.responses.responses", "openai.lib.streaming.chat", "httpx2", "httpcore2",
    "h11", "anyio._backends._asyncio", "truststore", "scipy.stats", "pandas", "genai_prices.data",
    "jinja2.sandbox", "jsonschema", "markdown_it", "rich.progress", "rich._emoji_codes",
    "xml.etree.ElementTree", "asyncio", "http.server",
)  # fmt: skip
"""Modules of others that a run imports sooner or later."""


def prepare() -> None:
    """Import, and let Hydra's grammar make the tables that it makes at its first sentence."""
    os.environ.update(ENVIRONMENT)
    for module in (*SLOW, *_own()):
        importlib.import_module(module)
    OverridesParser.create().parse_overrides(["a=b,c", "+d.e=[1,2.5]", "~f", "g='h i'"])
    gc.freeze()  # the copies need not look through what is there for ever


def _own() -> Iterator[str]:
    package = importlib.import_module("vcmp")
    for module in pkgutil.walk_packages(package.__path__, "vcmp."):
        if not module.name.endswith("__main__"):
            yield module.name


def serve(folder: Path, owner: int) -> dict[str, Any]:
    """Take commands from connections; return, in a copy of this process, the one to run.

    A second copy in between waits for its end, which it tells over the connection.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies in between
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(folder / "socket"))
    server.listen(64)
    while lives(owner):
        if not select.select([server], [], [], 1.0)[0]:
            continue
        connection, _ = server.accept()
        if not os.fork():
            server.close()
            return wait_for_one(connection)
        connection.close()
    shutil.rmtree(folder, ignore_errors=True)
    raise SystemExit


def lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_one(connection: socket.socket) -> dict[str, Any]:
    """Start the command that the connection brings, and tell its id and its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    command = json.loads(connection.makefile().readline())
    process = os.fork()
    if not process:
        connection.close()
        return dict(command)
    connection.sendall(f"{process}\n".encode())
    _, status = os.waitpid(process, 0)
    with suppress(OSError):  # whoever asked is gone
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def become(command: dict[str, Any]) -> None:
    """Run `python -m vcmp` as if nothing had been before."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    os.chdir(command["cwd"])
    os.environ.clear()
    os.environ.update(command["env"])
    for number, path in enumerate(command["streams"]):
        file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_NOCTTY)
        os.dup2(file, number)
        os.close(file)
    resource.setrlimit(resource.RLIMIT_FSIZE, (command["largest_file"],) * 2)
    sys.argv = ["vcmp", *command["arguments"]]
    sys.path[0] = command["cwd"]
    codes: list[Any] = []
    atexit.register(leave, codes)  # the first is the last to be called
    try:
        if command["code"]:
            exec(command["code"], {"__name__": "__main__"})
            raise SystemExit(0)
        runpy.run_module("vcmp", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        codes.append(end.code)
        raise


def leave(codes: list[Any]) -> None:
    """End when all has been done that an interpreter does before it takes its modules apart: that
    is a copy of each page of the process, only to let go of it."""
    if codes and isinstance(codes[0], int):
        gc.collect()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(codes[0])


def warm(folder: Path, owner: int) -> dict[str, Any]:
    """Prepare and serve, and tell those who wait why that is not possible."""
    try:
        prepare()
        return serve(folder, owner)
    except Exception:
        (folder / "failure").write_text(traceback.format_exc(), encoding="utf-8")
        raise


if __name__ == "__main__":
    become(warm(Path(sys.argv[1]), int(sys.argv[2])))
