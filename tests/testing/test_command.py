"""`python -m vcmp.testing`, as an agent in another language meets it."""

import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.testing.conftest import ASK, post

COMMAND = [sys.executable, "-m", "vcmp.testing"]
BODY = json.dumps(ASK).encode()


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=30, check=False
    )


@contextmanager
def serve(*arguments: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The URL that is printed, and the process."""
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().strip(), process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(number: signal.Signals):
    with serve("--fault=rate_limit:retry_after_s=2,form=ms", "--fault=answer:text=ok") as (url, it):
        address = f"{url}/chat/completions"
        refused, _ = post(address, BODY)
        answered, reply = post(address, BODY)
        it.send_signal(number)
        said, _ = it.communicate(timeout=10)

    assert (refused, answered) == (429, 200)
    assert reply["choices"][0]["message"]["content"] == "ok"
    assert said == "2 requests, 0 of them over the limit; 1 at once at most\n"
    assert it.returncode == 0


def test_it_has_a_rate_limit():
    with serve("--per-s=0.01", "--burst=2", "--latency-s=0.01") as (url, it):
        statuses = [post(f"{url}/chat/completions", BODY)[0] for _ in range(3)]
        it.send_signal(signal.SIGINT)
        said, _ = it.communicate(timeout=10)

    assert statuses == [200, 200, 429]
    assert said == "3 requests, 1 of them over the limit; 1 at once at most\n"


def test_it_ends_by_itself():
    done = run("--fault=hang", "--seconds=0.2")

    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(r"http://127\.0\.0\.1:\d+/v1\n0 requests", done.stdout)


def test_help_lists_the_faults():
    shown = run("--help").stdout

    assert "  unauthorized        401: the key is wrong.\n" in shown
    assert re.search(r"^  hang  .*\(for_s=60\.0, at=0\.0\)$", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--fault=drop"],
            "--fault: there is no 'drop'. Did you mean 'drip'?\n"
            "  `python -m vcmp.testing --help` lists them",
        ),
        (
            ["--fault=hang:for=1"],
            "--fault hang: it has no parameter 'for'. Did you mean 'for_s'? It takes for_s, at",
        ),
        (["--fault=empty:a=1"], "--fault empty: it has no parameter 'a'. It takes none"),
        (["--fault=hang:for_s=a"], "--fault hang: for_s is 'a', not a number"),
        (
            ["--fault=reset:at=2"],
            "--fault reset: at is 2.0: a share of the body, from 0 to below 1",
        ),
        (
            ["--per-s=0"],
            "--per-s, --burst: per_s is 0.0 and burst 1: above 0, and at least 1",
        ),
        (
            ["--port=99999"],
            "--port: it is not between 0 and 65535. Choose another, or 0 for any",
        ),
    ],
)
def test_a_mistake_is_told(arguments: list[str], message: str):
    done = run(*arguments, "--seconds=0.1")

    assert (done.returncode, done.stderr) == (2, f"vcmp.testing: {message}\n")
    assert done.stdout == ""


def test_a_port_in_use_is_told():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(f"--port={taken.getsockname()[1]}", "--seconds=0.1")

    assert done.returncode == 2
    assert done.stderr == (
        "vcmp.testing: --port: Address already in use. Choose another, or 0 for any\n"
    )


def test_nothing_heavy_is_loaded():
    """An agent's tests do not wait for MLflow."""
    code = "import sys, vcmp.testing; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["mlflow", "scipy", "hydra", "numpy", "openai", "omegaconf"]

    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True,
                          check=True)  # fmt: skip

    assert done.stdout == "[]\n"
