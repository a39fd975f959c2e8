"""A process that has imported what vcmp imports slowly, and is copied for every command line.

`import mlflow` alone takes seconds of every `python -m vcmp`; a copy of a process that has done it
is there at once. Each copy runs the module `vcmp` as `python -m` would: in the folder, with the
environment and the arguments that it is given, and it ends as an interpreter ends.

    python tests/warm.py SOCKET
"""

import gc
import importlib
import json
import os
import runpy
import socket
import sys
from typing import Any

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_DISABLE_AGENT_HINT": "1",
    "MLFLOW_MODEL_CATALOG_URI": "",
}
"""What vcmp sets before MLflow is imported."""


SLOW = (
    "hydra.main", "hydra._internal.hydra", "hydra._internal.core_plugins.basic_sweeper",
    "mlflow.genai.scorers", "mlflow.tracing", "mlflow.store.tracking.sqlalchemy_store",
    "openai.resources.chat", "openai.resources.responses", "httpx2", "scipy.stats", "pandas",
    "genai_prices", "jinja2.sandbox", "jsonschema", "rich.progress", "asyncio", "http.server",
)  # fmt: skip
"""Modules, none of them vcmp's own: those are imported by every copy anew."""


def prepare() -> None:
    os.environ.update(ENVIRONMENT)
    for module in SLOW:
        importlib.import_module(module)
    gc.freeze()  # the copies need not look through what is there for ever


def serve(address: str) -> dict[str, Any]:
    """Take commands from connections; return, in a copy of this process, the one to run.

    A second copy in between waits for its end, which it tells over the connection.
    """
    server = socket.socket(socket.AF_UNIX)
    server.bind(address)
    server.listen(64)
    while True:
        connection, _ = server.accept()
        if os.fork():
            connection.close()
            os.waitpid(-1, os.WNOHANG)
            continue
        server.close()
        command = json.loads(connection.makefile().readline())
        process = os.fork()
        if not process:
            connection.close()
            return dict(command)
        connection.sendall(f"{process}\n".encode())
        _, status = os.waitpid(process, 0)
        connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
        os._exit(0)


def become(command: dict[str, Any]) -> None:
    """Run `python -m vcmp` as if nothing had been before."""
    os.setsid()
    os.chdir(command["cwd"])
    os.environ.clear()
    os.environ.update(command["env"])
    for number, path in enumerate([os.devnull, command["stdout"], command["stderr"]]):
        file = os.open(path, os.O_RDWR | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["vcmp", *command["arguments"]]
    sys.path[0] = command["cwd"]
    runpy.run_module("vcmp", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    prepare()
    become(serve(sys.argv[1]))
