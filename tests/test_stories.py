"""Stories with a server that is not vcmp's, and with agents and scorers that break."""

import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, Run
from tests.openai_server import OpenAIServer
from tests.sweeps import rows, sweep_folder, verdict, write, write_cases


def system_prompt(body: dict[str, Any]) -> str:
    return next(m["content"] for m in body["messages"] if m["role"] == "system")


def answer(messages: list[dict[str, Any]], body: dict[str, Any]) -> str:
    """Warm where the prompt asks for it; the facts are right either way."""
    warm = "I understand how frustrating this must be. " if "caring" in str(messages) else ""
    return f"{warm}Your order is on its way."


def judge(body: dict[str, Any]) -> dict[str, Any]:
    """Wants warmth, and sees it only inside the fence round the answer."""
    prompt = body["messages"][-1]["content"]
    fenced = re.search(r"<<<(answer-[0-9a-f]{16})\n(.*)\n\1>>>", prompt, re.DOTALL)
    assert fenced, prompt
    if "nineteen trombones" in fenced[2]:  # the known-bad answer, by which judges are tried
        return {"rationale": "looked", "result": "no"}
    warm = "frustrating" in fenced[2]
    feelings = "# Rule" in prompt and "feelings" in prompt.split("# Rule")[1].split("\n# ")[0]
    return {"rationale": "looked", "result": "yes" if warm or not feelings else "no"}


def test_unchanged_agents_on_a_foreign_server_with_judges(project: Path, vcmp: Run):
    """The requests the server saw are the cases, repeats and judgements, and not one more."""
    with OpenAIServer(answer, judge=judge) as server:
        done = vcmp(
            "agent=empathetic,basic", "provider=compatible", f"provider.base_url={server.base_url}",
            write_cases(project, 20), "scorers=judged", "gate=thresholds", "repeats=2", "-m",
            "tracking=none",
        )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert verdict(project)["ship"] == "empathetic"
    assert len(server.answered) == 20 * 2 * 2
    scorers = yaml.safe_load((project / "conf/scorers/judged.yaml").read_text(encoding="utf-8"))
    n_rules = len(scorers["support_guidelines"]["guidelines"])
    per_answer = 1 + n_rules + 1  # relevance, the rules, one expected fact
    assert len(server.judged) == (20 * 2 * 2 + 1) * per_answer  # and one known-bad answer
    report = (sweep_folder(project) / "report.md").read_text(encoding="utf-8")
    assert "scripted" not in report
    assert "support_guidelines" in report


def test_latency_tokens_and_cost_are_measured_without_asking(project: Path, vcmp: Run):
    with OpenAIServer(answer, delay_s=0.05) as server:
        vcmp("agent=basic", "provider=compatible", f"provider.base_url={server.base_url}",
             write_cases(project, 5), "tracking=none")  # fmt: skip

    path = sweep_folder(project) / "0/evaluation.json"
    metrics = json.loads(path.read_text(encoding="utf-8"))["metrics"]
    assert 0.05 <= metrics["latency_s/p50"] <= metrics["latency_s/p95"] < 5
    assert metrics["input_tokens/mean"] > 0
    assert metrics["output_tokens/mean"] > 0
    assert metrics["cost_usd/total"] > 0  # the server says that gpt-4o-mini answered


def test_rate_limits_are_waited_out_and_counted_once(project: Path, vcmp: Run):
    def faults(index: int, body: dict[str, Any]) -> Any:
        if index % 4 == 0:
            return ("status", 429, {"Retry-After": "0.1"}, {"error": {"message": "slow down"}})
        return None

    with OpenAIServer(answer, faults=faults) as server:
        done = vcmp("agent=basic", "provider=compatible", f"provider.base_url={server.base_url}",
                    write_cases(project, 12), "tracking=none", "gate=none")  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert not [row["error"] for row in rows(project, 0) if row["error"]]
    attempts = [call["attempts"] for row in rows(project, 0) for call in row["calls"]]
    assert len(attempts) == 12
    assert max(attempts) > 1
    assert sum(attempts) == len(server.requests)


def test_a_dead_provider_is_rows_and_an_invalid_verdict_not_a_crash(project: Path, vcmp: Run):
    def faults(index: int, body: dict[str, Any]) -> Any:
        return ("status", 401, {}, {"error": {"message": "bad key"}})

    with OpenAIServer(answer, faults=faults) as server:
        done = vcmp("agent=basic,empathetic", "provider=compatible", write_cases(project, 6),
                    f"provider.base_url={server.base_url}", "tracking=none", "-m")  # fmt: skip

    assert done.returncode in (1, 4), done.stdout + done.stderr
    assert len(server.requests) == 12  # a wrong key is not tried twice
    assert all("bad key" in row["error"] for row in rows(project, 0))


def open_store(project: Path) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of MLflow's own imports
        from mlflow import MlflowClient

        return MlflowClient(f"sqlite:///{project}/outputs/mlflow.db")


FLAKY = """
import hashlib

def answer(question, *, rate=0.0):
    if int(hashlib.sha256(question.encode()).hexdigest(), 16) % 100 < 100 * rate:
        raise ConnectionError("the search index is down")
    return "Your order is on its way."
"""


def test_an_agent_that_crashes_never_looks_better(project: Path, vcmp: Run):
    """mlflow.genai.evaluate scored such an agent higher than one that answers everything."""
    write(project, "agents/flaky.py", FLAKY)
    node = "_target_: agents.flaky.answer\n_partial_: true\n"
    write(project, "conf/agent/steady.yaml", node)
    write(project, "conf/agent/flaky.yaml", f"{node}rate: 0.3\n")

    done = vcmp("agent=flaky,steady", "baseline=steady", write_cases(project), "tracking=none",
                "-m")  # fmt: skip

    assert done.returncode == 1, done.stdout + done.stderr
    (candidate,) = verdict(project)["candidates"]
    failed = [row for row in rows(project, 0) if row["error"]]
    assert candidate["metrics"]["error_rate"] == len(failed) / 40 > 0.1
    assert candidate["metrics"]["mentions_facts/mean"] == 1 - len(failed) / 40
    assert "the search index is down" in (sweep_folder(project) / "report.md").read_text("utf-8")


HALF = """
def half(case, output):
    if case.id[-1] in "02468":
        raise ValueError("even")
    return 1.0
"""


def test_a_scorer_that_raises_is_unscored_and_its_metric_cannot_pass(project: Path, vcmp: Run):
    write(project, "agents/scoring.py", HALF)
    write(
        project, "conf/scorers/half.yaml", "half: {_target_: agents.scoring.half, _partial_: true}"
    )
    write(project, "conf/gate/half.yaml",
          "rules: [{_target_: vcmp.gates.Threshold, metric: half, min: 0.5}]")  # fmt: skip

    done = vcmp("agent=basic,empathetic", "scorers=half", "gate=half", "tracking=none",
                write_cases(project), "-m")  # fmt: skip

    assert done.returncode == 4, done.stdout + done.stderr
    report = (sweep_folder(project) / "report.md").read_text(encoding="utf-8")
    assert "20 / 40" in report
    assert {row["scores"]["half"]["value"] for row in rows(project, 0)} == {None, 1.0}


def test_a_metric_that_nobody_scored_cannot_pass_a_gate(project: Path, vcmp: Run):
    write(project, "conf/gate/typo.yaml",
          "rules: [{_target_: vcmp.gates.Threshold, metric: empaty, min: 0}]")  # fmt: skip

    done = vcmp("agent=basic,empathetic", "gate=typo", "tracking=none", write_cases(project), "-m")

    assert done.returncode in (3, 4), done.stdout + done.stderr
    assert "empathy" in done.stdout


@pytest.mark.usefixtures("stored")
def test_mlflow_scorers_work_as_they_are(project: Path, vcmp: Run):
    def judge(body: dict[str, Any]) -> dict[str, Any]:
        known_bad = "nineteen trombones" in json.dumps(body)
        return {"rationale": "looked", "result": "no" if known_bad else "yes"}

    with OpenAIServer(answer, judge=judge) as server:
        done = vcmp("agent=basic", "scorers=mlflow", "provider=compatible", "gate=none",
                    write_cases(project, 3), f"provider.base_url={server.base_url}")  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert len(server.answered) == 3
    assert len(server.judged) >= 6
    values = {s["value"] for row in rows(project, 0) for s in row["scores"].values()}
    assert values == {1.0}


AUTOLOGGING = """
def answer(question):
    import mlflow
    from openai import OpenAI

    mlflow.set_experiment("own")
    mlflow.openai.autolog()
    reply = OpenAI().chat.completions.create(
        model="gpt-4o-mini", messages=[{"role": "user", "content": question}]
    )
    return reply.choices[0].message.content
"""


@pytest.mark.parametrize("tracking", ["mlflow", "none"])
def test_an_agent_that_sets_mlflow_up_by_itself_leaves_no_trace_elsewhere(
    project: Path, vcmp: Run, tracking: str
):
    write(project, "agents/auto.py", AUTOLOGGING)
    write(project, "conf/agent/auto.yaml", "_target_: agents.auto.answer\n_partial_: true\n")

    done = vcmp("agent=auto", f"tracking={tracking}", "gate=none", write_cases(project, 12))

    assert done.returncode == 0, done.stderr
    assert not [row["error"] for row in rows(project, 0) if row["error"]]
    assert {path.name for path in project.iterdir()} == {
        ".git", ".gitignore", "agents", "cases.jsonl", "conf", "outputs",
    }  # fmt: skip
    if tracking == "mlflow":
        client = open_store(project)
        counts = {
            experiment.name: len(client.search_traces(locations=[experiment.experiment_id]))
            for experiment in client.search_experiments()
        }
        assert counts.pop("customer_support_agent") == 12
        assert not any(counts.values())


@pytest.mark.usefixtures("stored")
def test_an_agents_own_traces_become_the_cases_one_trace(project: Path, vcmp: Run):
    done = vcmp("agent=traced,basic", write_cases(project, 6), "-m")

    assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    client = open_store(project)
    (experiment,) = client.search_experiments(filter_string="name = 'customer_support_agent'")
    models = client.search_logged_models([experiment.experiment_id])
    for model in models:
        traces = client.search_traces(
            locations=[experiment.experiment_id], model_id=model.model_id, max_results=100
        )
        assert len(traces) == 6
        if "traced" in model.name:
            names = {span.name for trace in traces for span in trace.data.spans}
            assert "retrieve" in names
    everything = client.search_traces(locations=[experiment.experiment_id], max_results=100)
    assert len(everything) == 12


LEAKY = """
import os

def answer(question):
    key = os.environ["MY_API_KEY"]
    if "order 1" in question:
        raise RuntimeError(f"401 for key {key}")
    return f"I was told that the key is {key}"
"""


@pytest.mark.usefixtures("stored")
def test_the_value_of_a_key_reaches_no_file_and_no_screen(project: Path, vcmp: Run):
    write(project, "agents/leaky.py", LEAKY)
    write(project, "conf/agent/leaky.yaml", "_target_: agents.leaky.answer\n_partial_: true\n")
    canary = "canary-4b1d-9f3e-secret"

    done = vcmp("agent=leaky,basic", write_cases(project), "-m", env={"MY_API_KEY": canary})

    assert done.returncode == 1, done.stdout + done.stderr
    assert canary not in done.stdout + done.stderr
    files = [path for path in (project / "outputs").rglob("*") if path.is_file()]
    assert len(files) > 10
    assert not [path for path in files if canary.encode() in path.read_bytes()]


def test_what_a_template_says_is_not_interpolated_again(project: Path, vcmp: Run):
    """A prompt may talk about ${amount}, and must not be able to read the environment."""
    write(project, "conf/prompts/odd.j2", "Answer for ${amount}, ${oc.env:HOME}.")

    with OpenAIServer(answer) as server:
        done = vcmp("agent.prompt=conf/prompts/odd.j2", "gate=none", "tracking=none",
                    "provider=compatible",
                    write_cases(project, 2), f"provider.base_url={server.base_url}")  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert system_prompt(server.answered[0]["body"]) == "Answer for ${amount}, ${oc.env:HOME}."


def test_a_reader_that_goes_away_ends_the_output_and_not_the_sweep(project: Path):
    command = (
        f"{sys.executable} -m vcmp agent=basic,empathetic {write_cases(project)} tracking=none"
    )
    done = subprocess.run(
        f"{command} -m | head -1; exit ${{PIPESTATUS[0]}}", shell=True, executable="/bin/bash",
        cwd=project, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip

    assert done.stderr == ""
    assert (sweep_folder(project) / "report.md").is_file()
    codes = {"pass": 0, "fail": 1, "inconclusive": 3}
    assert done.returncode == codes[verdict(project)["verdict"]]


def test_a_run_without_any_answer_does_not_pass(project: Path, vcmp: Run):
    write(project, "agents/broken.py", "def answer(question):\n    raise ValueError('no')\n")
    write(project, "conf/agent/broken.yaml", "_target_: agents.broken.answer\n_partial_: true\n")

    done = vcmp("agent=broken", "baseline=null", "tracking=none", write_cases(project))

    assert done.returncode == 4, done.stdout + done.stderr


@pytest.mark.usefixtures("stored")
def test_rules_about_one_version_hold_without_a_baseline(project: Path, vcmp: Run):
    write(project, "conf/gate/strict.yaml",
          "rules: [{_target_: vcmp.gates.Threshold, metric: empathy, min: 0.5}]")  # fmt: skip

    for agent, code in {"basic": 1, "empathetic": 0}.items():
        done = vcmp(f"agent={agent}", "gate=strict", "baseline=null", "tracking=none",
                    write_cases(project))  # fmt: skip
        assert done.returncode == code, done.stdout + done.stderr


def test_an_evaluation_that_is_missing_is_not_forgotten(project: Path, vcmp: Run):
    vcmp("agent=basic,empathetic", "tracking=none", write_cases(project), "-m")
    folder = sweep_folder(project)
    (folder / "0/evaluation.json").unlink()

    done = vcmp("conclude", str(folder))

    assert done.returncode == 2
    assert "0/evaluation.json is missing; the evaluation did not end." in done.stderr


def test_several_files_of_scorers_and_removed_parameters(project: Path, vcmp: Run):
    done = vcmp("scorers=[support,judged]", "~agent.max_tokens", "gate=none", "tracking=none",
                write_cases(project, 3))  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "customer_support_agent-basic-without_max_tokens-git-" in done.stdout
    assert {"polite", "relevance_to_query"} <= rows(project, 0)[0]["scores"].keys()
