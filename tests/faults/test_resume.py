"""Killed, interrupted, out of disk: what is finished is kept, and a resumed sweep ends as an
undisturbed one."""

import json
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.commands import Command
from tests.conftest import Run, start_vcmp
from tests.openai_server import OpenAIServer
from vcmp.testing import Fault, FaultServer, Received, faults

TIMES = {"started_s", "latency_s", "waited_s", "id", "created"}
CONCURRENCY = 4


def begin(project: Path, url: str, *arguments: str, **how: Any) -> Command:
    return start_vcmp(project, *settings(url), *arguments, **how)


def settings(url: str) -> list[str]:
    return [
        "agent=empathetic,basic", "provider=compatible", f"provider.base_url={url}",
        "tracking=none", "dataset.limit=40", f"concurrency={CONCURRENCY}", "gate=none", "-m",
    ]  # fmt: skip


def sweep_of(project: Path) -> Path:
    (folder,) = (project / "outputs").glob("2*")
    return folder


def timeless(value: Any) -> Any:
    """A JSON value without what a clock, or the server, has put in anew."""
    if isinstance(value, Mapping):
        return {key: timeless(item) for key, item in value.items() if key not in TIMES}
    if isinstance(value, list):
        return [timeless(item) for item in value]
    return value


def rows(folder: Path, name: str = "results.jsonl") -> list[Any]:
    path = folder / name
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [timeless(json.loads(line)) for line in lines]


def kill_after(process: Command, server: OpenAIServer, n_requests: int) -> None:
    while len(server.requests) < n_requests:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.kill()
    process.communicate()


def asked(server: OpenAIServer) -> Counter[str]:
    return Counter(json.dumps(request["body"], sort_keys=True) for request in server.requests)


def test_a_killed_sweep_goes_on_where_it_was(project: Path, vcmp: Run, tmp_path: Path):
    """Only calls that were in flight are repeated, and the files are those of a quiet run."""
    with OpenAIServer(delay_s=0.02) as server:
        kill_after(begin(project, server.base_url), server, 37)
        folder = sweep_of(project)
        kept = sum(len(rows(folder / job)) for job in "01")

        done = vcmp("resume", f"outputs/{folder.name}")
        assert (done.returncode, done.stderr) == (0, "")
        repeated = sum(count - 1 for count in asked(server).values())
        killed = {path.name: path.read_bytes() for path in folder.glob("*.*")}
        ended = [rows(folder / job) for job in "01"]

    with OpenAIServer(delay_s=0.02) as server:
        quiet = vcmp(*settings(server.base_url))
        (other,) = (path for path in (project / "outputs").glob("2*") if path != folder)

    assert kept + CONCURRENCY >= 37 - CONCURRENCY
    assert repeated <= CONCURRENCY
    assert quiet.returncode == 0
    assert ended == [rows(other / job) for job in "01"]
    assert len(ended[0]) == len(ended[1]) == 40
    assert killed["report.md"].count(b"\n") == (other / "report.md").read_bytes().count(b"\n")
    assert not list(folder.glob("*/answers.jsonl"))


def test_a_sweep_that_is_at_work_is_not_resumed(project: Path, vcmp: Run):
    """Both would write the same rows, and ask for each twice."""
    with OpenAIServer(delay_s=0.1) as server:
        process = begin(project, server.base_url, "dataset.limit=20")
        while len(server.requests) < 5:
            assert process.poll() is None, process.communicate()
            time.sleep(0.005)
        folder = sweep_of(project)
        refused = vcmp("resume", f"outputs/{folder.name}")
        assert process.poll() is None
        out, err = process.communicate(timeout=60)

    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == (
        f"vcmp: resume=outputs/{folder.name}: another process is at work in this folder.\n"
        "  Let it end, or interrupt it; then go on.\n"
    )
    assert (process.returncode, err) == (0, ""), out
    assert max(asked(server).values()) == 1


@pytest.mark.parametrize("torn", [b'{"case_id": "track-pack', bytes(300) + b"\n"])
def test_a_torn_last_line_is_no_result(project: Path, vcmp: Run, torn: bytes):
    """A process that is killed while it writes leaves half a line, a loss of power zeros."""
    with OpenAIServer() as server:
        kill_after(begin(project, server.base_url), server, 20)
        folder = sweep_of(project)
        with (folder / "0/results.jsonl").open("ab") as file:
            file.write(torn)
        done = vcmp("resume", f"outputs/{folder.name}")

    assert (done.returncode, done.stderr) == (0, "")
    assert len(rows(folder / "0")) == len(rows(folder / "1")) == 40


def test_an_answer_is_not_asked_for_again_while_judges_score_it(project: Path, vcmp: Run):
    """What was paid for is on disk before the judges have spoken."""
    # versions that answer alike would be judged in the same words
    echo = OpenAIServer(lambda asked, _: " ".join(m["content"] for m in asked), delay_s=0.02)
    with echo as server:
        process = begin(project, server.base_url, "scorers=judged", "dataset.limit=8")
        kill_after(process, server, 60)
        folder = sweep_of(project)
        done = vcmp("resume", f"outputs/{folder.name}")
        repeated = sum(count - 1 for count in asked(server).values())
        answers = Counter(
            json.dumps(request["body"]) for request in server.requests if not request["judge"]
        )

    assert (done.returncode, done.stderr) == (0, "")
    assert repeated <= 8 * CONCURRENCY  # judges of one answer are asked at once
    assert sum(answers.values()) <= 16 + CONCURRENCY
    assert len(rows(folder / "0")) == len(rows(folder / "1")) == 8
    assert not list(folder.glob("*/answers.jsonl"))


def test_answers_without_results_survive_a_resume_that_is_refused(project: Path, vcmp: Run):
    """They are paid for; a mistake in the code is put right and the sweep goes on."""
    held = [True]

    def answer(messages: Any, body: Any) -> str:
        judged = "response_format" in body
        time.sleep(30 if judged and held[0] else 0)
        return " ".join(message["content"] for message in messages)

    with OpenAIServer(answer) as server:
        process = begin(project, server.base_url, "scorers=judged", "dataset.limit=4")
        while not list(project.glob("outputs/2*/*/answers.jsonl")):
            assert process.poll() is None, process.communicate()
            time.sleep(0.01)
        process.kill()
        process.communicate()
        held.clear()
        folder = sweep_of(project)
        agent = project / "agents/support.py"
        agent.write_text(agent.read_text("utf-8") + "\n# better\n", encoding="utf-8")
        done = vcmp("resume", f"outputs/{folder.name}")

    assert done.returncode == 2
    assert not list(folder.glob("*/results.jsonl"))
    assert list(folder.glob("*/answers.jsonl"))


def test_a_result_that_the_agent_has_rescued_is_kept_at_once(project: Path, vcmp: Run):
    """An agent that has another model to ask loses nothing when the process is killed."""
    (project / "agents/rescued.py").write_text(
        "from openai import OpenAI, OpenAIError\n\n\n"
        "def answer(question):\n"
        "    messages = [{'role': 'user', 'content': question}]\n"
        "    try:\n"
        "        OpenAI().chat.completions.create(model='forbidden', messages=messages)\n"
        "    except OpenAIError:\n"
        "        OpenAI().chat.completions.create(model='fine', messages=messages)\n"
        "    return 'Hello.'\n",
        encoding="utf-8",
    )
    node = "_target_: agents.rescued.answer\n_partial_: true\n"
    (project / "conf/agent/rescued.yaml").write_text(node, encoding="utf-8")

    def choose(request: Received) -> Fault:
        refused = request.body["model"] == "forbidden" and request.number % 5 > 0
        return faults.forbidden() if refused else faults.answer()

    with FaultServer(choose=choose, latency_s=0.02) as server:
        process = begin(project, server.url, "agent=rescued", "baseline=null", "concurrency=1")
        while server.n_requests < 20:
            assert process.poll() is None, process.communicate()
            time.sleep(0.005)
        process.kill()
        process.communicate()
        n_requests = server.n_requests

    folder = sweep_of(project)
    kept = rows(folder / "0")
    assert sum(len(row["calls"]) for row in kept) >= n_requests - 2


@pytest.mark.parametrize(("scorers", "most"), [("judged", 60), ("preferred", 12)])
def test_a_judge_that_said_nothing_of_use_is_not_asked_again(
    project: Path, vcmp: Run, scorers: str, most: int
):
    """Three replies that nobody can read are paid for, and the pair is unscored for good."""

    def choose(request: Received) -> Fault:
        judged = "response_format" in request.body
        return faults.invalid_json() if judged else faults.answer(lambda r: str(r.body["messages"]))

    more = (f"scorers={scorers}", "dataset.limit=4", "concurrency=1")
    with FaultServer(choose=choose, latency_s=0.02) as server:
        quiet = vcmp(*settings(server.url), *more)
        n_quiet = server.n_requests
        (other,) = (project / "outputs").glob("2*")
        process = begin(project, server.url, *more)
        while server.n_requests < 1.8 * n_quiet:
            assert process.poll() is None, process.communicate()
            time.sleep(0.005)
        process.kill()
        process.communicate()
        (folder,) = (path for path in (project / "outputs").glob("2*") if path != other)
        done = vcmp("resume", f"outputs/{folder.name}")

    assert (quiet.returncode, done.returncode) == (0, 0), done.stderr
    assert server.n_requests <= 2 * n_quiet + most  # in flight, and the known-bad answer
    name = "results.jsonl" if scorers == "judged" else "preferences.jsonl"
    found, wanted = (sorted(map(json.dumps, rows(f / "0", name))) for f in (folder, other))
    assert found == wanted


def test_an_interrupt_after_the_last_answer_tells_how_it_goes_on(project: Path):
    with OpenAIServer() as server:
        process = begin(project, server.base_url, "dataset.limit=20")
        while "evaluating 40 of 40" not in process.output:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=30)

    if process.returncode == 143:  # it was not over yet
        assert out.splitlines()[-1] == f"go on:     vcmp resume outputs/{sweep_of(project).name}"


def test_an_interrupted_sweep_tells_how_it_goes_on(project: Path, vcmp: Run):
    with OpenAIServer(delay_s=0.05) as server:
        process = begin(project, server.base_url)
        while len(server.requests) < 10:
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        folder = sweep_of(project)
        command = out.splitlines()[-1]
        done = vcmp(*command.split()[-2:])

    assert (process.returncode, err) == (130, "")
    assert command == f"go on:     vcmp resume outputs/{folder.name}"
    assert done.returncode == 0
    assert max(asked(server).values()) <= 2
    assert len(rows(folder / "0")) == len(rows(folder / "1")) == 40


def test_a_full_disk_keeps_what_is_finished(project: Path, vcmp: Run):
    """No half line, no half file, exit code 4, and the way to go on."""
    with OpenAIServer() as server:
        process = begin(project, server.base_url, largest_file=60_000)
        _, err = process.communicate(timeout=60)
        folder = sweep_of(project)
        kept = [len(rows(folder / job)) for job in "01"]
        done = vcmp("resume", f"outputs/{folder.name}")
        repeated = sum(count - 1 for count in asked(server).values())

    assert process.returncode == 4
    assert "results.jsonl: cannot be written (" in err
    assert err.endswith(f"  Make room, then go on: vcmp resume outputs/{folder.name}\n")
    assert 0 < sum(kept) < 80
    assert done.returncode == 0, done.stderr
    assert repeated <= CONCURRENCY + 1
    assert not list(folder.rglob("*.new"))


def test_a_disk_that_is_full_from_the_start_is_no_mistake_of_the_user(project: Path):
    with OpenAIServer() as server:
        process = begin(project, server.base_url, largest_file=500, stdout=os.devnull)
        _, err = process.communicate(timeout=60)

    assert (process.returncode, len(server.requests)) == (4, 0)
    assert err == "vcmp: File too large. Make room or give access, and run it again.\n"


def test_a_disk_that_is_full_before_anything_is_finished_leaves_nothing_to_go_on_with(
    project: Path,
):
    """The folder of such a sweep is not kept."""
    with OpenAIServer() as server:
        prompt = f"agent.prompt='{'Be kind. ' * 500}'"
        own = settings(server.base_url)[1:-1]  # Hydra keeps a copy of the command line with -m
        process = start_vcmp(project, "agent=basic", *own, prompt, largest_file=4_000)
        _, err = process.communicate(timeout=60)

    assert (process.returncode, len(server.requests)) == (4, 0)
    path, _, told = err.partition("sweep.json: ")
    assert path.startswith(f"vcmp: {project}/outputs/2")
    assert told == (
        "cannot be written (File too large). Nothing was finished before.\n"
        "  Make room, and run it again.\n"
    )
    assert not list((project / "outputs").glob("2*"))


def test_a_full_disk_leaves_no_half_report(project: Path, vcmp: Run):
    with OpenAIServer() as server:
        process = begin(project, server.base_url, "dataset.limit=3", largest_file=8_000)
        _, err = process.communicate(timeout=60)
        folder = sweep_of(project)
        done = vcmp("resume", f"outputs/{folder.name}")

    assert process.returncode == 4
    assert "report.html: cannot be written (File too large)" in err
    assert not list(folder.rglob("*.new"))
    assert (done.returncode, len(server.requests)) == (0, 6)
    assert (folder / "report.html").read_text("utf-8").endswith("</html>\n")


def test_a_log_that_cannot_be_written_is_a_full_disk_too(project: Path):
    with OpenAIServer() as server:
        process = begin(project, server.base_url, "dataset.limit=3", stdout="/dev/full")
        _, err = process.communicate(timeout=60)

    assert process.returncode == 4
    assert err.startswith("vcmp: No space left on device.")
    assert not server.requests  # nothing was paid for


def test_what_a_resume_was_given_is_looked_at_again(project: Path, vcmp: Run):
    """It is kept in a file that the next resume does not take at its word."""
    with OpenAIServer() as server:
        vcmp(*settings(server.base_url), "dataset.limit=3", "budget.calls=2")
        folder = f"outputs/{sweep_of(project).name}"
        typed = vcmp("resume", folder, "trust=[math]", "budget.calls=4", "budget.calls=3")
        read = vcmp("resume", folder)

    assert (typed.returncode, read.returncode, len(server.requests)) == (4, 2, 3)
    given = json.loads((project / folder / "sweep.json").read_text("utf-8"))["arguments"]
    assert given[-2:] == ["trust=[math]", "budget.calls=3"]
    assert [each for each in given if each.startswith("budget")] == ["budget.calls=3"]
    assert read.stderr == (
        f"vcmp: {folder}/sweep.json: begun with 'trust=[math]'.\n"
        f"  If it is yours, repeat the command line with resume={folder}\n"
    )


def test_a_finished_sweep_asks_nothing(project: Path, vcmp: Run):
    with OpenAIServer() as server:
        vcmp(*settings(server.base_url), "dataset.limit=3")
        n_requests = len(server.requests)
        folder = sweep_of(project)
        before = (folder / "report.md").read_bytes()
        done = vcmp(*settings(server.base_url), "dataset.limit=3", f"resume=outputs/{folder.name}")

    assert (done.returncode, len(server.requests)) == (0, n_requests)
    assert (folder / "report.md").read_bytes() == before


def test_other_code_does_not_go_on_with_a_sweep(project: Path, vcmp: Run):
    with OpenAIServer() as server:
        vcmp(*settings(server.base_url), "dataset.limit=3")
        folder = sweep_of(project)
        agent = project / "agents/support.py"
        agent.write_text(agent.read_text("utf-8") + "\n# better\n", encoding="utf-8")
        done = vcmp("resume", f"outputs/{folder.name}")

    assert done.returncode == 2
    assert done.stderr.startswith(
        f"vcmp: resume=outputs/{folder.name}: was begun with customer_support_agent-empathetic-git-"
    )
    assert done.stderr.endswith(
        "  Bring back the code and the command line it was begun with, or evaluate anew.\n"
    )


def test_other_code_outside_git_does_not_go_on_with_a_sweep(project: Path, vcmp: Run):
    """There all versions are called …-local-dev, whatever their code is."""
    shutil.rmtree(project / ".git")
    agent = project / "agents/support.py"
    code = agent.read_text("utf-8")
    with OpenAIServer() as server:
        vcmp(*settings(server.base_url), "dataset.limit=3", "budget.calls=2")
        folder = f"outputs/{sweep_of(project).name}"
        agent.write_text(f"{code}\n# better\n", encoding="utf-8")
        refused = vcmp("resume", folder, "budget.calls=null")
        agent.write_text(code, encoding="utf-8")
        done = vcmp("resume", folder, "budget.calls=null")

    assert (refused.returncode, done.returncode, len(server.requests)) == (2, 0, 6)
    assert refused.stderr == (
        f"vcmp: resume={folder}: was begun with other code than there is now.\n"
        "  Bring that back, or evaluate anew. In git, versions are named after their code.\n"
    )


def test_another_provider_does_not_go_on_with_a_sweep(project: Path, vcmp: Run):
    """Half of the rows would be of one model, and half of another."""
    with OpenAIServer() as server, OpenAIServer() as other:
        vcmp(*settings(server.base_url), "dataset.limit=3", "budget.calls=2")
        folder = f"outputs/{sweep_of(project).name}"
        moved = vcmp("resume", folder, f"provider.base_url={other.base_url}", "budget.calls=null")
        done = vcmp("resume", folder, f"provider.base_url={server.base_url}/", "budget.calls=null")

    advice = "  Bring back the provider that it was begun with, or evaluate anew.\n"
    begun = f"vcmp: resume={folder}: was begun with answers of compatible at {server.base_url},"
    assert moved.returncode == 2
    assert moved.stderr == f"{begun} and these are of compatible at {other.base_url}.\n{advice}"
    assert (done.returncode, len(server.requests), len(other.requests)) == (0, 6, 0)


def test_a_folder_that_is_none_is_refused(vcmp: Run):
    done = vcmp("agent=basic", "resume=outputs/nowhere")
    assert done.stderr == (
        "vcmp: resume=outputs/nowhere: is no folder of a sweep. Give one: resume=outputs/<sweep>\n"
    )
