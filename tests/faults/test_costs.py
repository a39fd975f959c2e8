"""What a sweep may cost is told before, and asked about; what it may take holds for all runs."""

import json
import os
import pty
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, start_vcmp
from tests.openai_server import OpenAIServer
from tests.sweeps import rows, sweep_folder
from vcmp.results import Ledger
from vcmp.testing import Fault, FaultServer, Received, faults
from vcmp.types import Spent

KEY = {"OPENAI_API_KEY": "no-key-of-anybody"}


def settings(server: FaultServer) -> list[str]:
    return [
        "agent=plain", "provider=openai", f"provider.base_url={server.url}", "tracking=none",
        "baseline=null", "gate=none", "dataset.limit=3", "budget.confirm_usd=0.00001",
    ]  # fmt: skip


def test_plan_tells_what_a_sweep_costs_at_worst(vcmp: Run):
    done = vcmp("plan", "agent=plain", "provider=openai", "baseline=null")
    told = "20,639 tokens if each case makes one call, with answers as long as may be: $0.0092"
    assert f"\n{told}\n" in done.stdout


def test_plan_counts_calls_as_in_a_recorded_run(project: Path, vcmp: Run, stored: None):
    code = (
        "from openai import OpenAI\n\n\ndef ask(question, prompt='p', model='gpt-4o-mini'):\n"
        "    messages = [{'role': 'user', 'content': question}]\n    for _ in range(3):\n"
        "        OpenAI().chat.completions.create(model=model, messages=messages)\n"
        "    return 'done'\n"
    )
    (project / "agents/three.py").write_text(code, encoding="utf-8")
    node = "_target_: agents.three.ask\n_partial_: true\nmodel: gpt-4o-mini\n"
    (project / "conf/agent/three.yaml").write_text(node, encoding="utf-8")
    with FaultServer() as server:
        given = [*bounded(server, "agent=three"), "dataset.limit=3"]
        given.remove("tracking=none")
        before = vcmp("plan", *given).stdout
        assert vcmp(*given).returncode == 0
        after = vcmp("plan", *given).stdout

    assert "12,371 tokens if each case makes one call, with" in before
    assert "37,113 tokens if each case makes 3 calls, as recorded, with" in after


def test_plan_says_when_a_price_is_unknown(vcmp: Run):
    done = vcmp("plan", "agent=plain", "agent.model=my-own", "provider=openai", "baseline=null")
    assert "; the price of 'my-own' is unknown\n" in done.stdout


def test_plan_knows_what_judges_of_mlflow_cost(vcmp: Run):
    done = vcmp("plan", "agent=plain", "scorers=mlflow", "provider=openai", "baseline=null")
    (told,) = (line for line in done.stdout.splitlines() if " tokens if " in line)
    assert "each case makes one call, with answers as long as may be: $" in told


def test_nobody_to_ask_is_a_no(project: Path, vcmp: Run):
    with FaultServer() as server:
        done = vcmp(*settings(server), env=KEY)

    assert (done.returncode, server.n_requests) == (2, 0)
    assert done.stderr == (
        "vcmp: budget.confirm_usd=1e-05: 446 tokens if each case makes one call, with answers"
        " as long as may be: $0.00020, and there is nobody to ask.\n"
        "  Lower dataset.limit or max_tokens, or raise budget.confirm_usd.\n"
    )


def test_a_terminal_is_asked(project: Path):
    for reply, code, n_requests in (("n\n", 2, 0), ("y\n", 0, 3)):
        with FaultServer() as server:
            ours, theirs = pty.openpty()
            process = start_vcmp(project, *settings(server), env=KEY, stdin=os.ttyname(theirs))
            os.close(theirs)
            os.write(ours, reply.encode())
            out, err = process.communicate(timeout=60)
            os.close(ours)

        assert (process.returncode, server.n_requests) == (code, n_requests), out + err
        assert "go on? [y/N]" in out


def test_a_terminal_is_asked_once_of_a_sweep_and_its_baseline(project: Path):
    """The process of a revision has nobody to ask."""
    with FaultServer() as server:
        given = [*settings(server), "baseline=git:main", "agent.temperature=0.1"]
        given.remove("baseline=null")
        ours, theirs = pty.openpty()
        process = start_vcmp(project, *given, env=KEY, stdin=os.ttyname(theirs))
        os.close(theirs)
        os.write(ours, b"y\n")
        out, err = process.communicate(timeout=60)
        os.close(ours)

    assert process.returncode == 0, out + err
    assert out.count("go on? [y/N]") == 1
    assert ", git:main like plain-temperature_0_1\n" in out
    assert server.n_requests > 3


def bounded(server: FaultServer, *more: str) -> list[str]:
    return [
        "agent=plain", "provider=compatible", f"provider.base_url={server.url}", "tracking=none",
        "baseline=null", "gate=none", "dataset.limit=10", "concurrency=2", *more,
    ]  # fmt: skip


def test_the_budget_holds_for_all_runs_of_a_sweep(project: Path, vcmp: Run):
    """A bound that is reached is told with the way on, and one that is raised is not forgotten."""
    with FaultServer() as server:
        vcmp(*bounded(server, "budget.calls=4"))
        folder = f"outputs/{sweep_folder(project).name}"
        again = vcmp("resume", folder)
        n_again = server.n_requests
        raised = vcmp("resume", folder, "budget.calls=7")
        n_raised = server.n_requests
        forgotten = vcmp("resume", folder)
        n_forgotten = server.n_requests
        ended = vcmp("resume", folder, "budget.calls=null")

    assert [done.returncode for done in (again, raised, forgotten, ended)] == [4, 4, 4, 0]
    assert [n_again, n_raised, n_forgotten, server.n_requests] == [4, 7, 7, 10]
    assert (
        "stopped: budget: the 4 of budget.calls are made\n"
        f"stopped: 4 of 10 results are kept in {folder}\n"
        f"go on:     vcmp resume {folder} budget.calls=…\n"
    ) in again.stdout
    assert "stopped: budget: the 7 of budget.calls are made\n" in forgotten.stdout
    assert len(rows(project)) == 10
    assert not (project / folder / "spent.jsonl").exists()
    given = json.loads((project / folder / "sweep.json").read_text("utf-8"))["arguments"]
    assert [each for each in given if each.startswith("budget.")] == ["budget.calls=null"]


@pytest.mark.parametrize(
    ("bound", "said"),
    [
        ("budget.calls=5", "the 5 of budget.calls are made"),
        ("budget.tokens=450", "the 450 of budget.tokens may not do for the next call"),
        ("budget.usd=0.00014", "the 0.00014 of budget.usd may not do for the next call"),
        ("budget.minutes=0.005", "the 0.005 of budget.minutes have passed"),
    ],
)
def test_a_bound_that_is_given_at_last_counts_what_a_killed_run_took(
    project: Path, vcmp: Run, bound: str, said: str
):
    """Nothing was bounded when it was spent. Eight calls take 350 tokens, and 0.3 s one by one;
    the bounds would do for two more if they began anew."""
    with FaultServer(latency_s=0.05) as server:
        process = start_vcmp(project, *bounded(server, "concurrency=1"))
        while server.n_requests < 9:
            assert process.poll() is None
            time.sleep(0.005)
        process.kill()
        process.wait()
        folder = sweep_folder(project)
        with (folder / "spent.jsonl").open("a", encoding="utf-8") as file:
            file.write('{"calls": 1, "tok')
        n_requests = server.n_requests
        done = vcmp("resume", f"outputs/{folder.name}", bound)

    assert done.returncode == 4, done.stderr
    assert f"stopped: budget: {said}\n" in done.stdout
    assert server.n_requests == n_requests


@pytest.mark.parametrize("bound", ["budget.tokens=9000", "budget.usd=0.006", "budget.calls=20"])
def test_a_call_that_does_not_fit_beside_others_waits_until_they_are_settled(
    project: Path, vcmp: Run, bound: str
):
    """Each may take 4,000 tokens and takes about forty: the budget does for all of them."""
    with FaultServer(latency_s=0.05) as server:
        given = ("dataset.limit=20", "concurrency=8", "agent.max_tokens=4000", bound)
        done = vcmp(*bounded(server, *given))

    assert (done.returncode, server.n_requests) == (0, 20), done.stdout + done.stderr
    assert 1 <= server.most_at_once <= 8
    assert not any(row["error"] for row in rows(project))
    assert all(row["latency_s"] < 1 for row in rows(project))


NESTED = """
from openai import AsyncOpenAI


async def ask(question):
    async with AsyncOpenAI() as client:
        asked = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": question}],
                 "max_tokens": 100}
        stream = await client.chat.completions.create(stream=True, **asked)
        await anext(aiter(stream))
        reply = await client.chat.completions.create(**asked)
        await stream.close()
    return reply.choices[0].message.content
"""


@pytest.mark.parametrize("bound", ["budget.tokens=1200", "budget.calls=9"])
def test_a_stream_that_its_case_holds_while_it_waits_is_not_waited_for(
    project: Path, vcmp: Run, bound: str
):
    (project / "agents/nested.py").write_text(NESTED, encoding="utf-8")
    node = "_target_: agents.nested.ask\n_partial_: true\n"
    (project / "conf/agent/nested.yaml").write_text(node, encoding="utf-8")
    with FaultServer([faults.answer("one two three")], latency_s=0.1) as server:
        began = time.monotonic()
        done = vcmp(*bounded(server, "agent=nested"), "dataset.limit=20", bound)
        took = time.monotonic() - began

    assert done.returncode == 4
    assert "stopped: budget: the " in done.stdout
    assert took < 30  # and not until the deadline of a call


def test_what_is_waited_for_the_budget_is_not_of_the_cases_time(project: Path, vcmp: Run):
    """Sixteen calls of which two fit at once take eight times as long as one."""
    with FaultServer([faults.answer("Hello.")], latency_s=0.5) as server:
        done = vcmp(
            *bounded(server, "agent=plain"), "agent.max_tokens=1000", "budget.tokens=2900",
            "dataset.limit=16", "concurrency=16", "case_deadline_s=1.5",
        )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert [row["outcome"] for row in rows(project)] == ["ok"] * 16


@pytest.mark.parametrize(
    ("bound", "n_affordable"),
    [("budget.calls=1", 1), ("budget.usd=0.00001", 0), ("budget.tokens=60", 0)],
)
def test_recorded_replies_are_played_whatever_the_budget(
    project: Path, vcmp: Run, bound: str, n_affordable: int
):
    """They cost nothing; what the cache lacks is asked for as far as the budget does."""
    with FaultServer() as server:
        cached = [*bounded(server, "dataset.limit=5"), "provider.cache=true"]
        assert vcmp(*cached).returncode == 0
        again = vcmp(*cached, bound)
        assert (again.returncode, server.n_requests) == (0, 5), again.stdout
        more = vcmp(*cached, "dataset.limit=8", bound)
        assert (more.returncode, server.n_requests) == (4, 5 + n_affordable), more.stdout
        recorded = bounded(server, "dataset.limit=5", "provider=record")
        recorded.remove(f"provider.base_url={server.url}")
        done = vcmp(*recorded, f"provider.upstream={server.url}")
        assert done.returncode == 0, done.stderr
        n_requests = server.n_requests
        recorded[recorded.index("provider=record")] = "provider=replay"
        done = vcmp(*recorded, bound)

    assert (done.returncode, server.n_requests) == (0, n_requests), done.stdout + done.stderr


def test_a_price_that_an_earlier_run_did_not_know_ends_a_budget_in_money(project: Path, vcmp: Run):
    with FaultServer() as server:
        vcmp(*bounded(server, "budget.calls=2"))
        folder = sweep_folder(project)
        Ledger(folder).add(Spent(calls=1, tokens=10, usd=None))
        done = vcmp("resume", f"outputs/{folder.name}", "budget.calls=null", "budget.usd=1")

    assert (done.returncode, server.n_requests) == (4, 2)
    assert (
        "stopped: budget: the price of an earlier call is unknown, so budget.usd cannot be kept."
        " Use budget.tokens\n"
    ) in done.stdout
    assert f"outputs/{folder.name} budget.usd=null budget.tokens=…\n" in done.stdout


def disapprove(request: Received) -> str:
    """The last verdict that a judge may choose: no, or neither."""
    schema = request.body["response_format"]["json_schema"]["schema"]
    return json.dumps(
        {name: of["enum"][-1] if "enum" in of else "r" for name, of in schema["properties"].items()}
    )


def repeat(request: Received) -> str:
    """An answer of each version's own."""
    return str(request.body["messages"])


@pytest.mark.parametrize(("scorers", "calls"), [("judged", 25), ("preferred", 15)])
def test_all_that_is_sent_is_spent(project: Path, vcmp: Run, scorers: str, calls: int):
    """Known-bad answers, judges, judges that compare, and attempts that failed."""

    def choose(request: Received) -> Fault:
        if request.number % 7 == 3:
            return faults.server_error()
        return faults.answer(disapprove if "response_format" in request.body else repeat)

    with FaultServer(choose=choose) as server:
        given = bounded(server, f"scorers={scorers}", "baseline=basic", "dataset.limit=5", "-m")
        done = vcmp(*given, "agent=empathetic,basic", f"budget.calls={calls}")
        spent = Ledger(sweep_folder(project)).spent()

    assert done.returncode == 4, done.stderr
    assert spent.calls == server.n_requests == calls


def test_what_is_spent_adds_up():
    known, unknown = Spent(calls=1, tokens=2, usd=0.5, minutes=3), Spent(calls=1, usd=None)

    assert known + known == Spent(calls=2, tokens=4, usd=1.0, minutes=6)
    assert (known + unknown).usd is None


def test_a_call_that_ends_after_the_sweep_leaves_nothing(tmp_path: Path):
    """A thread that was given up may end at any time."""
    ledger = Ledger(tmp_path)
    ledger.add(Spent(calls=1))
    ledger.close()
    ledger.add(Spent(calls=1))

    assert list(tmp_path.iterdir()) == []


def judged_by_mlflow(server: OpenAIServer, *more: str) -> list[str]:
    return [
        "agent=basic", "scorers=mlflow", "baseline=null",
        "provider=compatible", f"provider.base_url={server.base_url}",
         "gate=none", "dataset.limit=8", "concurrency=4", *more,
    ]  # fmt: skip


def refuse(_body: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"rationale": "r", "result": "no"}


def test_the_budget_holds_for_judges_of_mlflow(project: Path, vcmp: Run, stored: None):
    """They send by another library. What goes to the store, by the same one, is no call."""
    with OpenAIServer(judge=refuse, delay_s=0.02) as server:
        done = vcmp(*judged_by_mlflow(server, "budget.calls=11"))
        spent = Ledger(sweep_folder(project)).spent()
        n_judged = sum(request["judge"] for request in server.requests)
        n_requests = len(server.requests)
        more = vcmp("resume", f"outputs/{sweep_folder(project).name}", "budget.calls=26")

    assert done.returncode == 4, done.stderr
    assert "stopped: budget: the 11 of budget.calls are made\n" in done.stdout
    assert n_requests == spent.calls == 11
    assert n_judged > 2
    assert more.returncode == 0, more.stdout + more.stderr
    assert len(server.requests) <= 26  # 8 answers, 16 judgements, 2 of known-bad answers


def test_a_budget_in_money_holds_for_judges_of_mlflow(project: Path, vcmp: Run):
    with OpenAIServer(judge=refuse) as server:
        done = vcmp(*judged_by_mlflow(server, "tracking=none", "budget.usd=0.0028"))
        spent = Ledger(sweep_folder(project)).spent()

    assert done.returncode == 4, done.stderr
    assert "stopped: budget: the 0.0028 of budget.usd may not do for the next call\n" in done.stdout
    assert spent.calls == len(server.requests)
    assert spent.usd is not None
    assert 0 < spent.usd < 0.0028


def test_judges_of_mlflow_ask_as_often_as_any_other(project: Path, vcmp: Run):
    """By themselves they ask eleven times, and wait three minutes."""

    def busy(_number: int, body: Mapping[str, Any]) -> Any:
        return ("status", 503, {}, "") if "response_format" in body else None

    with OpenAIServer(judge=refuse, faults=busy) as server:
        done = vcmp(*judged_by_mlflow(server, "tracking=none", "dataset.limit=1", "attempts=2"))
        n_judged = sum(request["judge"] for request in server.requests)

    assert n_judged == 2 * 2 * 2, done.stdout  # two judges, of a known-bad answer and of another
    (row,) = rows(project)
    assert {score["error"] for score in row["scores"].values()} == {
        "MlflowException: Failed to invoke the judge model: given up: 503 Service Unavailable:"
        " status 503"
    }


def test_a_ledger_that_cannot_be_written_stops_a_sweep(project: Path, vcmp: Run):
    """What is not written down could be spent again. Here something else has the name."""
    agent = project / "agents/plain.py"
    agent.write_text(
        "from pathlib import Path\n"
        + agent.read_text("utf-8").replace(
            "    completion =",
            "    for folder in Path('outputs').glob('2*'):\n"
            "        (folder / 'spent.jsonl').mkdir(exist_ok=True)\n"
            "    completion =",
        ),
        encoding="utf-8",
    )
    with FaultServer() as server:
        done = vcmp(*bounded(server, "concurrency=1"))

    assert done.returncode == 4, done.stdout + done.stderr
    assert server.n_requests == 1
    assert (
        "stopped: budget: what is spent cannot be written down. Make room on the disk\n"
        "stopped: 1 of 10 results are kept in outputs/"
    ) in done.stdout


def test_a_ledger_that_is_damaged_is_told(project: Path, vcmp: Run):
    with FaultServer() as server:
        vcmp(*bounded(server, "budget.calls=2"))
        folder = sweep_folder(project)
        (folder / "spent.jsonl").write_text('{"calls": "many"}\n', encoding="utf-8")
        done = vcmp("resume", f"outputs/{folder.name}", "budget.calls=3")

    assert (done.returncode, server.n_requests) == (2, 2)
    assert done.stderr.startswith(f"vcmp: {folder}/spent.jsonl: cannot be read (")
