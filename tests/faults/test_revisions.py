"""The baseline of another revision, evaluated first by a process of its own: nothing of it is lost,
and nothing goes on without its sweep."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, Run, git, run_vcmp
from tests.faults.test_interrupts import AGENTS, processes_in
from tests.faults.test_resume import asked, rows, sweep_of
from tests.openai_server import OpenAIServer

CONCURRENCY = 4
N_CASES = 30


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """Where the trees of revisions are laid out."""
    folder = tmp_path / "trees"
    folder.mkdir()
    return folder


@pytest.fixture
def changed(project: Path) -> Path:
    """The sample project on a branch with a prompt of its own."""
    git(project, "checkout", "-q", "-b", "warmer")
    change(project, "helpful", "caring")
    return project


def change(project: Path, before: str, after: str) -> None:
    file = project / "conf/agent/basic.yaml"
    file.write_text(file.read_text("utf-8").replace(before, after), "utf-8")
    git(project, "commit", "-q", "-a", "-m", f"Be {after}")


def settings(url: str, *more: str) -> list[str]:
    return [
        "baseline=git:main", "provider=compatible", f"provider.base_url={url}", "tracking=none",
        f"dataset.limit={N_CASES}", f"concurrency={CONCURRENCY}", "gate=none", *more,
    ]  # fmt: skip


def small_files(n_bytes: int) -> Callable[[], None]:
    """What a process does to meet a full disk at a file of so many bytes."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, n_bytes))

    return limit


def begin(project: Path, trees: Path, url: str, *more: str, **how: Any) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "vcmp", *settings(url, *more)],
        cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **how,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(trees)},
    )  # fmt: skip


def await_requests(process: "subprocess.Popen[str]", server: OpenAIServer, n_requests: int) -> None:
    while len(server.requests) < n_requests:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def await_end(folder: Path) -> None:
    """Wait until no process is left in a folder."""
    deadline = time.monotonic() + 20
    while processes_in(folder):
        assert time.monotonic() < deadline, processes_in(folder)
        time.sleep(0.05)


def files_of(folder: Path) -> dict[str, Any]:
    """What a sweep leaves, without what a clock or the name of its folder has put in."""
    names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    record = json.loads((folder / "sweep.json").read_text("utf-8"))
    assert record.pop("answerer").startswith("compatible at http://127.0.0.1:")
    read = {name: rows(folder, name) for name in names if name.endswith(".jsonl")}
    return {"names": names, "record": record, **read}


def test_a_killed_baseline_goes_on_where_it_was(changed: Path, trees: Path):
    """Its process stops with the sweep; only calls that were in flight are repeated, and the files
    are those of a quiet run."""
    with OpenAIServer(delay_s=0.1) as server:
        process = begin(changed, trees, server.base_url)
        await_requests(process, server, 13)
        kill(process)
        n_killed = len(server.requests)
        await_end(trees)
        n_ended = len(server.requests)
        folder = sweep_of(changed)
        left = list(trees.glob("vcmp-*/tree"))

        resume = ("resume", f"outputs/{folder.name}")
        done = run_vcmp(changed, *resume, env={"TMPDIR": str(trees)})
        repeated = sum(count - 1 for count in asked(server).values())
        ended = files_of(folder)
        again = run_vcmp(changed, *resume)
        n_again = len(server.requests)

    with OpenAIServer() as server:
        quiet = run_vcmp(changed, *settings(server.base_url))
        (other,) = (path for path in (changed / "outputs").glob("2*") if path != folder)

    assert n_ended <= n_killed + CONCURRENCY
    assert len(left) == 1
    assert (done.returncode, done.stderr) == (quiet.returncode, quiet.stderr) == (0, "")
    assert repeated <= CONCURRENCY
    assert n_again == 2 * N_CASES + repeated
    assert "is evaluated first" in done.stdout
    assert "is evaluated first" not in again.stdout
    wanted = files_of(other)
    assert (
        ended["record"].pop("command").split("provider.base_url")[0]
        == (wanted["record"].pop("command").split("provider.base_url")[0])
    )
    for record in (ended["record"], wanted["record"]):
        del record["arguments"]  # the address of the server
    assert ended == wanted
    assert len(ended["baseline/results.jsonl"]) == len(ended["0/results.jsonl"]) == N_CASES
    assert git(changed, "worktree", "list").count("\n") == 1
    assert list(trees.iterdir()) == []


@pytest.mark.parametrize("agent", ["tool", "blocking"])
def test_no_process_outlives_a_killed_sweep(project: Path, trees: Path, agent: str):
    """Nor what the agent of the baseline has started, nor an agent that blocks the loop."""
    (project / "agents/busy.py").write_text(AGENTS, encoding="utf-8")
    node = f"_target_: agents.busy.{agent}\n_partial_: true\n"
    (project / "conf/agent/basic.yaml").write_text(node, encoding="utf-8")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "Be busy")
    with OpenAIServer() as server:
        process = begin(project, trees, server.base_url)
        await_requests(process, server, 1)
        kill(process)
        await_end(trees)

        assert len(server.requests) <= CONCURRENCY


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_while_the_baseline_is_evaluated_tells_how_it_goes_on(
    changed: Path, trees: Path, vcmp: Run, number: signal.Signals
):
    """And loses no call: those in flight get the time to end."""
    with OpenAIServer(delay_s=0.1) as server:
        process = begin(changed, trees, server.base_url)
        await_requests(process, server, 13)
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        n_ended = len(server.requests)
        running = processes_in(trees)
        folder = sweep_of(changed)
        kept = [row for path in folder.glob("revisions/*/0") for row in rows(path)]
        left = list(trees.iterdir())
        done = vcmp(*out.splitlines()[-1].split()[-2:])
        n_requests = len(server.requests)

    assert (process.returncode, err) == (128 + number, "")
    assert out.splitlines()[-1] == f"go on:     vcmp resume outputs/{folder.name}"
    assert len(kept) == n_ended
    assert (running, left) == ([], [])
    assert (done.returncode, done.stderr) == (0, "")
    assert n_requests == 2 * N_CASES


def test_a_branch_that_moves_meanwhile_changes_nothing(changed: Path, trees: Path, vcmp: Run):
    """A sweep is of the commits that it was begun with; who resumes it is told."""
    with OpenAIServer(delay_s=0.1) as server:
        process = begin(changed, trees, server.base_url)
        await_requests(process, server, 9)
        kill(process)
        await_end(trees)
        folder = sweep_of(changed)
        main = git(changed, "rev-parse", "main")[:8]
        git(changed, "branch", "-q", "-f", "main", "HEAD")
        done = vcmp("resume", f"outputs/{folder.name}")
        n_requests = len(server.requests)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == (
        f"note: git:main has moved since the sweep was begun, which goes on with {main}"
    )
    assert f"customer_support_agent-basic-git-{main}," in done.stdout.splitlines()[-1]
    assert n_requests <= 2 * N_CASES + CONCURRENCY


def test_a_commit_that_is_gone_meanwhile_is_fetched_first(changed: Path, trees: Path, vcmp: Run):
    with OpenAIServer(delay_s=0.1) as server:
        process = begin(changed, trees, server.base_url)
        await_requests(process, server, 9)
        kill(process)
        await_end(trees)
        folder = sweep_of(changed)
        record = (folder / "sweep.json").read_text("utf-8")
        main = git(changed, "rev-parse", "main").strip()
        (folder / "sweep.json").write_text(record.replace(main, "1" * 40), "utf-8")
        done = vcmp("resume", f"outputs/{folder.name}")

    assert done.returncode == 2
    assert done.stderr == (
        "vcmp: baseline=git:main: git has no commit 11111111 here, with which the sweep was begun."
        f"\n  Fetch it first: git fetch origin {'1' * 40}\n"
    )
    assert list(folder.glob("revisions/*/0/results.jsonl"))


def test_a_budget_that_ends_the_baseline_is_told(changed: Path, vcmp: Run):
    with OpenAIServer() as server:
        done = vcmp(*settings(server.base_url), "budget.calls=10")
        folder = sweep_of(changed)
        n_requests = len(server.requests)
        way_on = f"vcmp resume outputs/{folder.name} budget.…=…"
        more = vcmp("resume", f"outputs/{folder.name}", "budget.calls=1000")

        assert (done.returncode, n_requests) == (4, 10)
        assert done.stderr == (
            "vcmp: baseline=git:main: stopped, budget: the 10 of budget.calls are made\n"
            f"  Go on with what is kept: {way_on}\n"
        )
        assert (more.returncode, more.stderr) == (0, "")
        assert len(server.requests) == 2 * N_CASES


def test_a_budget_is_of_the_sweep_and_its_baseline_together(changed: Path, vcmp: Run):
    bound = N_CASES + 5
    with OpenAIServer() as server:
        done = vcmp(*settings(server.base_url), f"budget.calls={bound}")
        again = vcmp("resume", f"outputs/{sweep_of(changed).name}")
        n_requests = len(server.requests)
        more = vcmp("resume", f"outputs/{sweep_of(changed).name}", "budget.calls=1000")

        assert (done.returncode, again.returncode, n_requests) == (4, 4, bound)
        assert f"stopped: budget: the {bound} of budget.calls are made" in done.stdout
        assert (more.returncode, len(server.requests)) == (0, 2 * N_CASES)


def test_a_provider_that_refuses_the_baseline_is_told(changed: Path, vcmp: Run):
    refusal = ("status", 401, {}, json.dumps({"error": {"message": "No.", "code": "no"}}))
    with OpenAIServer(faults=lambda *_: refusal) as server:
        done = vcmp(*settings(server.base_url))
        n_requests = len(server.requests)

    assert done.returncode == 4
    assert n_requests <= 3 + CONCURRENCY
    first, second = done.stderr.splitlines()
    assert first.startswith(
        "vcmp: baseline=git:main: stopped, provider: 3 calls in a row failed, the key was refused. "
    )
    assert second == f"  Go on with what is kept: vcmp resume outputs/{sweep_of(changed).name}"


def test_a_disk_that_is_full_while_the_baseline_is_evaluated_is_told(
    changed: Path, trees: Path, vcmp: Run
):
    with OpenAIServer(lambda *_: 10_000 * "a") as server:
        full = small_files(100_000)  # that is enough for the project's own
        process = begin(changed, trees, server.base_url, preexec_fn=full)
        _, err = process.communicate(timeout=60)
        folder = sweep_of(changed)
        done = vcmp("resume", f"outputs/{folder.name}")
        repeated = sum(count - 1 for count in asked(server).values())

    first, second = err.splitlines()
    assert process.returncode == 4
    assert first.startswith("vcmp: baseline=git:main: ")
    assert "/0/results.jsonl: cannot be written (" in first
    assert first.endswith("). All that was finished before is kept.")
    assert second == f"  Go on with what is kept: vcmp resume outputs/{folder.name}"
    assert (done.returncode, done.stderr) == (0, "")
    assert repeated <= CONCURRENCY + 1


def test_a_process_that_is_killed_alone_is_told(changed: Path, trees: Path):
    """As by a system that is short of memory."""
    with OpenAIServer(delay_s=0.1) as server:
        process = begin(changed, trees, server.base_url)
        await_requests(process, server, 9)
        for child in processes_in(trees):
            os.kill(child, signal.SIGKILL)
        _, err = process.communicate(timeout=30)

    assert process.returncode == 4
    assert err == (
        "vcmp: baseline=git:main: its process was ended by SIGKILL\n"
        f"  Go on with what is kept: vcmp resume outputs/{sweep_of(changed).name}\n"
    )


def test_a_revision_that_cannot_be_evaluated_is_told(changed: Path, vcmp: Run):
    """In the words of its own process; nothing is kept, since nothing was paid for."""
    git(changed, "checkout", "-q", "main")
    change(changed, "temperature:", "temprature:")
    git(changed, "checkout", "-q", "warmer")

    done = vcmp("baseline=git:main", "tracking=none", "dataset.limit=3")

    assert done.returncode == 2
    assert done.stderr == (
        "vcmp: baseline=git:main: that revision cannot be evaluated.\n"
        "  agent=basic: agents.support.SupportAgent has no parameter 'temprature'."
        " Did you mean 'temperature'?\n"
    )
    assert [path for path in (changed / "outputs").glob("2*") if path.is_dir()] == []
