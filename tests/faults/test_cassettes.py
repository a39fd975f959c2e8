"""A model's replies are recorded once, and pull requests are judged by them without a key."""

import json
import re
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run, git, make_project, run_vcmp, start_vcmp
from tests.openai_server import OpenAIServer

KEY = "sk-canary-7f3a9b1c2d4e"
CASES = 12
OPTIONS = (f"dataset.limit={CASES}", "tracking=none", "scorers=judged", "--multirun")
CHILD = '''\
"""An agent that asks in a process of its own."""

import subprocess
import sys

CODE = """
import sys, openai
messages = [{"role": "user", "content": sys.argv[1]}]
stream = openai.OpenAI().chat.completions.create(model="m", messages=messages, stream=True)
print("".join(chunk.choices[0].delta.content or "" for chunk in stream))
"""


def ask(question: str) -> str:
    done = subprocess.run([sys.executable, "-c", CODE, question], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.splitlines()[-1])
    return done.stdout.strip()
'''


def kind(messages: Any, body: dict[str, Any]) -> str:
    """A model that is kind when it is told to be, and never says the same twice."""
    prompt = messages[0]["content"]
    feeling = "I am sorry, I understand how you feel. " if "caring" in prompt else ""
    return f"{feeling}About {messages[-1]['content']} you get a tracking link."


def judge(body: dict[str, Any]) -> dict[str, str]:
    asked = json.dumps(body["messages"])
    return {"rationale": "so it is", "result": "yes" if "sorry" in asked else "no"}


def folder_of(done: Any, project: Path) -> Path:
    found = re.search(r"report +(\S+)/report\.md", done.stdout)
    assert found, done.stdout + done.stderr
    return project / found[1]


def rows_of(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "0/results.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def evidence(folder: Path) -> list[bytes]:
    return [(folder / name).read_bytes() for name in ("report.md", "verdict.json")]


@pytest.fixture(scope="module")
def taped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample project with the replies of a model, committed; the model is gone."""
    project = make_project(tmp_path_factory.mktemp("taped"))
    with OpenAIServer(kind, judge=judge) as server:
        upstream = f"provider.upstream={server.base_url}"
        choices = ("agent=empathetic,basic", "provider=record", upstream)
        done = run_vcmp(project, *choices, *OPTIONS, env={"OPENAI_API_KEY": KEY})
    assert done.returncode in (0, 1, 3), done.stderr
    assert "OpenAI-compatible API at 127.0.0.1" in done.stdout.splitlines()[0]
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "Record what the model says")
    return project


@pytest.fixture
def recorded(taped: Path, project: Path) -> Path:
    """A copy of it, as the project of one test."""
    shutil.rmtree(project)
    return Path(shutil.copytree(taped, project))


def replay(vcmp: Run, *more: str) -> Any:
    return vcmp("agent=empathetic,basic", "provider=replay", *more, *OPTIONS)


def test_a_committed_cassette_gates_without_a_key(recorded, vcmp):
    """The same report, byte by byte, however often: judges included."""
    first, second = replay(vcmp), replay(vcmp, "concurrency=3")

    assert first.stdout.splitlines()[0] == (
        "answered by: recordings in cassettes, no language model was called now"
    )
    folders = [folder_of(done, recorded) for done in (first, second)]
    one, other = map(evidence, folders)
    assert first.returncode == second.returncode
    assert [text.replace(b" concurrency=3", b"") for text in other] == one
    rows = rows_of(folders[0])
    assert len(rows) == CASES
    assert {call["source"] for row in rows for call in row["calls"]} == {"replayed"}
    assert all(score["value"] is not None for row in rows for score in row["scores"].values())
    metrics = json.loads((folders[0] / "0/evaluation.json").read_text("utf-8"))["metrics"]
    assert "cost_usd/total" in metrics
    assert not [name for name in metrics if name.startswith("latency_s")]
    written = [path.read_bytes() for path in recorded.rglob("*") if path.is_file()]
    assert not [content for content in written if KEY.encode() in content]


def test_a_changed_prompt_is_a_miss_and_not_a_failure_of_the_agent(recorded, vcmp):
    """Evidence that is not there decides nothing."""
    done = replay(vcmp, "agent.prompt='You are a caring agent, too.'", "scorers=support")

    assert done.returncode == 4
    assert re.fullmatch(
        r"vcmp: provider=replay: no recording of this call in cassettes\. Nearest:"
        r" [0-9a-f]{64}\.json, which differs at messages\[0\]\.content: '.+' there, '.+' here\."
        r" Record it: provider=record( \(\d+ calls had none\))?\n",
        done.stderr,
    )


def test_an_agent_in_another_process_is_recorded_and_replayed(project, vcmp):
    """Whatever sends to OPENAI_BASE_URL; here as a stream."""
    (project / "agents/child.py").write_text(CHILD, encoding="utf-8")
    agent = "_target_: agents.child.ask\n_partial_: true\n"
    (project / "conf/agent/child.yaml").write_text(agent, encoding="utf-8")
    options = ("agent=child", "dataset.limit=3", "tracking=none", "baseline=null")
    with OpenAIServer(kind) as server:
        record = ("provider=record", f"provider.upstream={server.base_url}")
        first = vcmp(*options, *record, "provider.cassette=taped")
    second = vcmp(*options, "provider=replay", "provider.cassette=taped")

    assert first.stderr + second.stderr == ""
    assert len(list((project / "taped").glob("*.json"))) == 3
    outputs = [
        [row["output"] for row in rows_of(folder_of(done, project))] for done in (first, second)
    ]
    assert outputs[0] == outputs[1]
    assert all("tracking link" in output for output in outputs[0])


def test_a_resumed_recording_keeps_what_child_processes_were_told(project, vcmp):
    """Nobody knows for which rows that was, so what comes later is put behind it."""
    (project / "agents/child.py").write_text(CHILD, encoding="utf-8")
    agent = "_target_: agents.child.ask\n_partial_: true\n"
    (project / "conf/agent/child.yaml").write_text(agent, encoding="utf-8")
    which = ("agent=child", "dataset.limit=1", "repeats=6")
    options = (*which, "gate=none", "tracking=none", "baseline=null")
    with OpenAIServer(kind) as server:
        record = ("provider=record", f"provider.upstream={server.base_url}", "concurrency=1")
        process = start_vcmp(project, *options, *record)
        while not any(map(_has_two_lines, project.glob("outputs/2*/0/results.jsonl"))):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.kill()
        process.communicate()
        (folder,) = (project / "outputs").glob("2*")
        resumed = vcmp("resume", f"outputs/{folder.name}")
        n_asked = len(server.requests)
    replayed = vcmp(*options, "provider=replay")

    (tape,) = (project / "cassettes").glob("*.json")
    numbers = [reply["number"] for reply in json.loads(tape.read_text("utf-8"))["replies"]]
    assert (resumed.returncode, replayed.returncode) == (0, 0), resumed.stderr + replayed.stderr
    assert 6 <= len(numbers) <= n_asked <= 7
    assert numbers == list(range(len(numbers)))
    assert len(rows_of(folder_of(replayed, project))) == 6


def _has_two_lines(path: Path) -> bool:
    return path.read_bytes().count(b"\n") >= 2


def test_answers_that_no_recording_is_known_to_have_given_are_told(recorded, vcmp):
    """A process with an address of its own cannot be stopped, and must not pass for a replay."""
    with OpenAIServer(kind) as live:
        code = CHILD.replace("openai.OpenAI()", f"openai.OpenAI(base_url={live.base_url!r})")
        (recorded / "agents/child.py").write_text(code, encoding="utf-8")
        agent = "_target_: agents.child.ask\n_partial_: true\n"
        (recorded / "conf/agent/child.yaml").write_text(agent, encoding="utf-8")
        done = vcmp(
            "agent=child,basic", "baseline=basic", "provider=replay", "dataset.limit=3",
            "gate=none", "tracking=none", "-m",
        )  # fmt: skip

    note = (
        "3 of 3 answers of child hold no recorded call: the agent asked no model, or where vcmp"
        " does not see it. OPENAI_BASE_URL leads to the recordings there, too; an address of the"
        " agent's own does not, and was asked live"
    )
    assert (done.returncode, len(live.requests)) == (0, 3), done.stderr
    assert f"note: {note}\n" in done.stdout
    assert note.partition(".")[0] in (folder_of(done, recorded) / "report.md").read_text("utf-8")
    assert "answers of basic" not in done.stdout


def test_judges_of_mlflow_are_recorded_and_replayed(project, vcmp):
    """They ask by `requests`, and have OPENAI_API_BASE from the environment."""
    options = ("agent=empathetic,basic", "scorers=mlflow", "dataset.limit=3", "tracking=none", "-m")
    with OpenAIServer(kind, judge=judge) as server:
        record = ("provider=record", f"provider.upstream={server.base_url}")
        first = vcmp(*options, *record, env={"OPENAI_API_KEY": KEY})
    second = vcmp(*options, "provider=replay")

    scores = [
        [row["scores"] for row in rows_of(folder_of(done, project))] for done in (first, second)
    ]
    assert scores[0] == scores[1]
    assert {score["value"] for row in scores[1] for score in row.values()} == {1.0}
    slots = [
        reply["slot"]["scorer"]
        for path in (project / "cassettes").glob("*.json")
        for reply in json.loads(path.read_text("utf-8"))["replies"]
    ]
    assert set(slots) == {"", "relevance_to_query", "support_guidelines"}


def test_the_cache_spares_the_second_run_its_calls(project, vcmp):
    """And a recorded run of the same version is then no new evidence."""
    options = ("agent=basic", "baseline=null", "provider=compatible", "provider.cache=true")
    with OpenAIServer(kind) as server:
        address = f"provider.base_url={server.base_url}"
        for expected in (3, 6):
            n = f"dataset.limit={expected}"
            done = vcmp(*options, address, n, "tracking=none")
            assert done.stderr == ""
            assert len(server.requests) == expected
    rows = rows_of(folder_of(done, project))
    sources = [call["source"] for row in rows for call in row["calls"]]

    assert sorted(sources) == ["cached"] * 3 + ["live"] * 3


def test_a_cache_that_cannot_be_written_is_told_once(project, vcmp):
    """The results are whole, but who runs it again pays again."""
    (project / "taken").write_text("in the way", encoding="utf-8")
    which = ("agent=basic", "baseline=null", "provider=compatible", "dataset.limit=3", "gate=none")
    with OpenAIServer(kind) as server:
        cache = ("provider.cache=true", "provider.cassette=taken")
        done = vcmp(*which, f"provider.base_url={server.base_url}", *cache, "tracking=none")

    assert (done.returncode, len(server.requests)) == (0, 3)
    assert done.stderr == (
        "note: taken does not hold all replies: [Errno 17] File exists: 'taken'\n"
        "  They will be paid for again.\n"
    )


def test_a_full_disk_leaves_no_half_file_in_a_cassette(project):
    """What is not whole would end the next replay."""
    with OpenAIServer(lambda *_: "x" * 60_000) as server:
        record = ("provider=record", f"provider.upstream={server.base_url}", "dataset.limit=3")
        options = ("agent=basic", "baseline=null", "gate=none", "tracking=none")
        process = start_vcmp(project, *options, *record, largest_file=40_000)
        _, err = process.communicate(timeout=60)

    assert process.returncode == 4
    assert err
    assert list((project / "cassettes").iterdir()) == []


def test_another_revision_is_replayed_from_todays_cassette(recorded, vcmp):
    """It is evaluated in a worktree, by a process of its own."""
    options = ("agent=empathetic", "baseline=git:main", "provider=replay", *OPTIONS[:-1])
    done = vcmp(*options)

    assert done.returncode in (0, 1, 3), done.stderr
    assert "against basic" in done.stdout
