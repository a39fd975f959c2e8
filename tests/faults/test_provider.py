"""A provider that fails: what is sent, how long it takes, what is said, how it ends."""

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Run
from tests.openai_server import OpenAIServer
from tests.sweeps import rows, write
from vcmp.testing import Fault, FaultServer, RateLimit, Received, faults
from vcmp.testing.replies import Page

WITHOUT_STORE = ["tracking=none", "baseline=null", "gate=none"]


PAYMENT_REQUIRED = Fault(name="payment_required", reply=Page(status=402, body="{}"))


def settings(server: FaultServer, *more: str, agent: str = "plain") -> list[str]:
    return [
        f"agent={agent}", "provider=compatible", f"provider.base_url={server.url}",
        *WITHOUT_STORE, "dataset.limit=2", "concurrency=2", *more,
    ]  # fmt: skip


FAULTS = {
    "fine": (faults.answer("Hello."), "ok", 1, ""),
    "unknown-model": (faults.model_not_found(), "error", 1, "NotFoundError"),
    "500-html": (faults.server_error(500), "error", 3, "InternalServerError"),
    "502-html": (faults.server_error(502), "error", 3, "InternalServerError"),
    "reset": (faults.reset(0.5), "error", 3, "APIConnectionError"),
    "cut-body": (faults.cut_body(), "error", 3, "APIConnectionError"),
    "html": (faults.html_with_200(), "error", 3, "JSONDecodeError"),
    "broken-json": (faults.broken_json(), "error", 3, "JSONDecodeError"),
    "error-with-200": (faults.error_with_200(), "error", 3, "BrokenReplyError: the reply is an"),
    "null-choices": (faults.null_choices(), "error", 3, "BrokenReplyError: the reply has no"),
    "no-choices": (faults.no_choices(), "error", 3, "BrokenReplyError: the reply has no choices"),
    "hang": (faults.hang(), "timeout", 3, "APITimeoutError"),
    "drip": (faults.drip(30.0), "timeout", 3, "APITimeoutError"),
    "null-content": (faults.null_content(), "empty", 1, "the answer is empty"),
    "empty": (faults.empty(), "empty", 1, "the answer is empty"),
    "refusal": (faults.refusal(), "refusal", 1, ""),
    "filtered": (faults.filtered(), "filtered", 1, "the provider's filter cut the answer off"),
    "truncated": (faults.truncated(), "truncated", 1, ""),
    "another-model": (faults.other_model(), "ok", 1, ""),
}
"""By question: what the provider does, the outcome, the attempts, and how the error begins."""


def asked(request: Received) -> str:
    return str(request.body["messages"][-1]["content"])


def test_each_fault_has_its_outcome(project: Path, vcmp: Run):
    """Attempts are bounded, counted at the server, and the row says what came of them."""
    lines = [json.dumps({"id": name, "inputs": {"question": name}}) for name in FAULTS]
    (project / "conf/dataset/faults.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with FaultServer(choose=lambda request: FAULTS[asked(request)][0]) as server:
        done = vcmp(
            *settings(server, "dataset.path=conf/dataset/faults.jsonl", "call_deadline_s=2"),
            "dataset.limit=null", "concurrency=20",
        )  # fmt: skip
    found = {row["case_id"]: row for row in rows(project)}
    n_attempts = Counter(map(asked, server.requests))

    assert done.returncode == 0, done.stdout + done.stderr
    assert {name: row["outcome"] for name, row in found.items()} == {
        name: outcome for name, (_, outcome, _, _) in FAULTS.items()
    }
    assert n_attempts == {name: attempts for name, (_, _, attempts, _) in FAULTS.items()}
    for name, (_, _, _, error) in FAULTS.items():
        assert found[name]["error"].startswith(error)
        assert bool(found[name]["error"]) == bool(error)


def test_a_server_that_is_always_too_busy_is_not_asked_for_ever(project: Path, vcmp: Run):
    with FaultServer([faults.rate_limit()]) as server:
        done = vcmp(*settings(server))

    assert server.n_requests == 2 * 3
    assert done.returncode == 4
    assert {row["error"].partition(":")[0] for row in rows(project)} == {"RateLimitError"}


def test_retry_after_is_waited_for(project: Path, vcmp: Run):
    script = [faults.rate_limit(retry_after_s=1.5), faults.answer("Hello.")]
    with FaultServer(script) as server:
        vcmp(*settings(server, "dataset.limit=1"))
        first, second = (request.started_s for request in server.requests)

    (row,) = rows(project)
    assert second - first >= 1.5
    assert row["latency_s"] < 1  # what was waited is no latency


def test_a_sync_agent_ends_at_its_deadline_too(project: Path, vcmp: Run):
    """A dripping server is read for ever by a client whose timeout bounds each read."""
    with FaultServer([faults.drip(60.0)]) as server:
        began = time.monotonic()
        vcmp(*settings(server, "call_deadline_s=1", "attempts=1", "dataset.limit=1"))
        took = time.monotonic() - began

    (row,) = rows(project)
    assert row["outcome"] == "timeout"
    assert row["calls"][0]["latency_s"] < 2
    assert took < 30


def test_what_is_no_whole_answer_is_what_the_project_says(project: Path, vcmp: Run):
    with FaultServer([faults.truncated()]) as server:
        vcmp(*settings(server, "outcomes.truncated=fail"))

    assert {row["error"] for row in rows(project)} == {"the answer was cut off at the token limit"}


def test_an_unknown_policy_of_an_outcome_is_refused(vcmp: Run):
    done = vcmp("outcomes.empty=ignore")
    assert (done.returncode, done.stderr) == (
        2, "vcmp: outcomes.empty=ignore is unknown. Choose fail or score.\n"
    )  # fmt: skip


def test_a_rate_limit_is_kept_and_nothing_is_lost(project: Path, vcmp: Run):
    """200 answers of a server that gives 20 a second take little more than 10 seconds."""
    cases = "\n".join(json.dumps({"inputs": {"question": f"{n}?"}}) for n in range(200))
    (project / "conf/dataset/many.jsonl").write_text(cases, encoding="utf-8")
    with FaultServer(limit=RateLimit(per_s=20, burst=20)) as server:
        done = vcmp(
            *settings(server, "concurrency=16", "dataset.limit=null"),
            "dataset.path=conf/dataset/many.jsonl",
        )
        first, last = server.requests[0].started_s, server.requests[-1].started_s

    assert done.returncode == 0, done.stderr
    assert [row["outcome"] for row in rows(project)] == ["ok"] * 200
    assert server.n_requests < 400
    assert last - first < 1.3 * 200 / 20


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (faults.unauthorized(), "the key was refused. Check the key, and what it may use."),
        (faults.forbidden(), "the key was refused. Check the key, and what it may use."),
        (PAYMENT_REQUIRED, "the account has nothing left to spend. Add to it."),
        (faults.insufficient_quota(), "the account has nothing left to spend. Add to it."),
    ],
    ids=["401", "403", "402", "quota"],
)
def test_a_provider_that_refuses_for_good_is_given_up(
    project: Path, vcmp: Run, fault: Fault, said: str
):
    """It is no failure of the agent: no row counts it, and a resumed sweep asks again."""
    with FaultServer([fault]) as server:
        done = vcmp(*settings(server, "dataset.limit=40"))

    assert done.returncode == 4
    assert f"stopped: provider: 3 calls in a row failed, {said} It said: " in done.stdout
    assert "go on:     vcmp resume outputs/" in done.stdout
    assert 3 <= server.n_requests <= 3 + 2
    assert rows(project) == []


def test_a_provider_that_is_not_there_is_given_up(project: Path, vcmp: Run):
    with FaultServer() as server:
        given = settings(server, "dataset.limit=40")
    done = vcmp(*given)

    assert done.returncode == 4
    assert "stopped: provider: 3 calls in a row failed, nobody answers." in done.stdout


def test_a_server_that_refuses_now_and_then_is_there(project: Path, vcmp: Run):
    """Its connections break, and what it says in between is an answer."""
    script = [faults.reset(), faults.reset(), faults.model_not_found()] * 2
    with FaultServer(script) as server:
        vcmp(*settings(server, "dataset.limit=6", "concurrency=1", "attempts=1"))

    errors = [row["error"].partition(":")[0] for row in rows(project)]
    assert sorted(errors) == ["APIConnectionError"] * 4 + ["NotFoundError"] * 2


def test_a_header_that_cannot_be_sent_is_told_as_such(project: Path, vcmp: Run):
    """And not repeated: it may be a key that nobody knows."""
    code = (
        "from openai import OpenAI\n\n\ndef ask(question):\n"
        "    client = OpenAI(default_headers={'X-Team': 'support\\n'})\n"
        "    return client.responses.create(model='m', input=question).output_text\n"
    )
    write(project, "agents/header.py", code)
    write(project, "conf/agent/header.yaml", "_target_: agents.header.ask\n_partial_: true\n")
    with FaultServer() as server:
        vcmp(*settings(server, "dataset.limit=6", agent="header"))

    assert server.n_requests == 0
    assert [row["error"] for row in rows(project)] == 6 * [
        "UnsendableError: a header of the request, such as its key, cannot be sent: it begins or"
        " ends with a blank, or has a line break or a control character in it"
    ]


def test_a_failure_among_answers_is_the_agents(project: Path, vcmp: Run):
    """Two refused keys of four are failures, and stay in the rows."""
    script = [faults.answer("a"), faults.forbidden(), faults.answer("b"), faults.forbidden()]
    with FaultServer(script) as server:
        vcmp(*settings(server, "dataset.limit=4", "concurrency=1"))

    assert sorted(row["outcome"] for row in rows(project)) == ["error", "error", "ok", "ok"]


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("provider=compatible provider.base_url=", "APIStatusError: Error code: 307 - "),
        ("provider=record provider.upstream=", "BadRequestError: Error code: 400 - "),
    ],
)
def test_a_redirection_is_told_and_not_followed(project: Path, vcmp: Run, provider: str, name: str):
    """It would be asked, and paid, at an address that nobody has chosen, and counted nowhere."""
    there = "http://127.0.0.1:9/v1/chat/completions"
    with OpenAIServer(faults=lambda *_: ("status", 307, {"Location": there}, "{}")) as server:
        choice, _, address = f"{provider}{server.base_url}".partition(" ")
        done = vcmp("agent=plain", choice, address, "dataset.limit=2", *WITHOUT_STORE)

    assert len(server.requests) == 2, done.stderr
    for row in rows(project):
        assert row["error"].startswith(name)
        told = f"the server sends requests on to {there}. Give the provider that address"
        assert told in row["error"]


@pytest.mark.parametrize(
    ("bound", "said", "most"),
    [
        ("budget.calls=7", "the 7 of budget.calls are made", 7),
        ("budget.tokens=1500", "the 1500 of budget.tokens may not do for the next call", 39),
        ("budget.usd=0.0002", "the 0.0002 of budget.usd may not do for the next call", 39),
        ("budget.minutes=0.0001", "the 0.0001 of budget.minutes have passed", 2),
    ],
)
def test_the_budget_is_kept(project: Path, vcmp: Run, bound: str, said: str, most: int):
    """Done rows are kept, and the verdict from them is not worth a pass."""
    with FaultServer() as server:
        done = vcmp(*settings(server, "dataset.limit=40", bound))

    assert done.returncode == 4
    assert f"stopped: budget: {said}" in done.stdout
    assert f"stopped: {server.n_requests} of 40 results are kept in " in done.stdout
    assert server.n_requests <= most
    assert len(rows(project)) == server.n_requests


def test_a_budget_in_money_needs_a_price(project: Path, vcmp: Run):
    with FaultServer() as server:
        done = vcmp(*settings(server, "budget.usd=1", "agent.model=my-own"))

    assert done.returncode == 4
    assert (
        "stopped: budget: the price of 'my-own' is unknown, so budget.usd cannot be kept."
        " Use budget.tokens\n"
    ) in done.stdout
    assert server.n_requests == 0


def test_a_sweep_that_was_stopped_goes_on_with_more(project: Path, vcmp: Run):
    with FaultServer() as server:
        first = vcmp(*settings(server, "dataset.limit=10", "budget.calls=4"))
        (folder,) = (project / "outputs").glob("2*")
        second = vcmp("resume", f"outputs/{folder.name}", "budget.calls=10")

    assert (first.returncode, second.returncode) == (4, 0), second.stdout + second.stderr
    assert server.n_requests == 10
    assert len(rows(project)) == 10


def test_a_part_of_the_evidence_passes_nothing(project: Path, vcmp: Run):
    with FaultServer() as server:
        done = vcmp(
            *settings(server, "dataset.limit=40", "budget.calls=20", "concurrency=1"),
            "gate.rules=[{_target_: vcmp.gates.NoFailures}]",
        )
    (folder,) = (project / "outputs").glob("2*")
    verdict = json.loads((folder / "verdict.json").read_text("utf-8"))

    assert done.returncode == 4
    assert (verdict["verdict"], verdict["ship"]) == ("inconclusive", None)
    assert verdict["stopped"].startswith("budget: ")


def test_the_report_counts_what_became_of_the_runs(project: Path, vcmp: Run):
    script = [faults.answer("a"), faults.truncated(), faults.empty(), faults.answer("b")]
    with FaultServer(script) as server:
        vcmp(*settings(server, "dataset.limit=4", "concurrency=1"))
    (folder,) = (project / "outputs").glob("2*")
    (version,) = json.loads((folder / "verdict.json").read_text("utf-8"))["candidates"]

    assert version["outcomes"] == {"empty": 1, "truncated": 1}
    report = (folder / "report.md").read_text("utf-8")
    assert "4 answers asked for, 3 given, 1 failed (1 empty, 1 truncated)." in report


def test_another_model_than_the_other_versions_is_told(project: Path, vcmp: Run):
    """What differs between the versions may then be the provider's doing."""

    def choose(request: Received) -> Fault:
        warm = "empathetic" in str(request.body["messages"][0]["content"])
        return faults.other_model("gpt-4o-mini-2") if warm else faults.answer()

    with FaultServer(choose=choose) as server:
        done = vcmp(
            *settings(server, agent="empathetic,basic"), "baseline=basic", "-m"
        )  # fmt: skip
    (report,) = (project / "outputs").glob("2*/report.md")

    told = (
        "gpt-4o-mini was answered by gpt-4o-mini for basic, and gpt-4o-mini-2 for empathetic:"
        " what differs may be the provider's doing"
    )
    assert f"⚠️ **note**: {told}" in report.read_text("utf-8"), done.stderr


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        (["selfcheck", "dataset.limit=4"], "what was done is kept in outputs/"),
        (["judge-check", "dataset=labelled", "scorers=judged"], "no judge was checked"),
    ],
)
def test_the_budget_holds_for_the_other_commands_too(vcmp: Run, verb: list[str], told: str):
    with FaultServer() as server:
        given = ["provider=compatible", f"provider.base_url={server.url}", "tracking=none"]
        done = vcmp(*verb, *given, "budget.calls=5", "concurrency=2")

    assert done.returncode == 4, done.stderr
    assert f"stopped, budget: the 5 of budget.calls are made: {told}" in done.stdout
    assert server.n_requests <= 5
