"""Calls that an agent makes in threads of its own belong to the case that started them."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.faults.test_provider import settings
from tests.sweeps import rows, sweep_folder, write
from vcmp.testing import FaultServer, faults

AGENT = '''"""Asks a model in threads that are started in many ways."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from agents.plain import answer

SHARED = ThreadPoolExecutor(2)


async def by_loop(question, **asked):
    ask = partial(answer, question, **asked)
    return await asyncio.get_running_loop().run_in_executor(None, ask)


def by_thread(question, **asked):
    said = []
    thread = threading.Thread(target=lambda: said.append(answer(question, **asked)))
    thread.start()
    thread.join()
    return said[0]


def by_pool(question, **asked):
    with ThreadPoolExecutor(2) as pool:
        return pool.submit(answer, question, **asked).result()


def by_shared_pool(question, **asked):
    return SHARED.submit(answer, question, **asked).result()
'''
WAYS = ["by_loop", "by_thread", "by_pool", "by_shared_pool"]


@pytest.fixture
def threads(project: Path) -> str:
    """A choice of all agents."""
    write(project, "agents/threads.py", AGENT)
    for way in WAYS:
        target = f"_target_: agents.threads.{way}\n_partial_: true\nprompt: Be brief.\n"
        write(project, f"conf/agent/{way}.yaml", target)
    return ",".join(WAYS)


def test_calls_in_threads_are_in_the_rows(project: Path, vcmp: Run, threads: str):
    """So is what they say of the answer, and no case has another's, though threads serve many."""
    with FaultServer([faults.filtered()]) as server:
        done = vcmp(*settings(server, "dataset.limit=8", "concurrency=3", agent=threads), "-m")

    found = [row for job in range(len(WAYS)) for row in rows(project, job)]
    assert done.returncode in (0, 4), done.stdout + done.stderr
    assert [row["outcome"] for row in found] == ["filtered"] * 8 * len(WAYS)
    assert [len(row["calls"]) for row in found] == [1] * len(found)
    assert all(row["usage"]["input_tokens"] for row in found)
    asked = [row["calls"][0]["request"]["messages"][-1]["content"] for row in found]
    cases = {row["case_id"]: question for row, question in zip(found, asked, strict=True)}
    assert [cases[row["case_id"]] for row in found] == asked
    assert len(set(asked)) == 8


def test_what_threads_get_from_a_cache_has_no_latency(project: Path, vcmp: Run, threads: str):
    """A model did not take that long, and replies keep their case."""
    with FaultServer([faults.answer("Hello.")]) as server:
        given = [*settings(server, agent=threads), "provider.cache=true"]
        vcmp(*given, "-m")
        shutil.rmtree(sweep_folder(project))
        n_requests = server.n_requests
        done = vcmp(*given, "-m")
        assert server.n_requests == n_requests

    found = [row for job in range(len(WAYS)) for row in rows(project, job)]
    assert {call["source"] for row in found for call in row["calls"]} == {"cached"}, done.stderr
    metrics = json.loads((sweep_folder(project) / "0/evaluation.json").read_text())["metrics"]
    assert not [name for name in metrics if name.startswith("latency_s")]
    taped = [json.loads(p.read_text()) for p in (project / "outputs/.cassettes").glob("*.json")]
    slots = [reply["slot"] for entry in taped for reply in entry["replies"]]
    assert {slot and slot["variant"] for slot in slots} == set(WAYS)


def test_no_row_counts_a_refused_key_against_threads(project: Path, vcmp: Run, threads: str):
    with FaultServer([faults.unauthorized()]) as server:
        done = vcmp(*settings(server, "dataset.limit=10", "concurrency=1", agent=threads), "-m")

    assert done.returncode == 4
    assert "stopped: provider: 3 calls in a row failed, the key was refused." in done.stdout
    assert [row for job in range(len(WAYS)) for row in rows(project, job)] == []
