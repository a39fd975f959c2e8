"""Planned looks through the command line: nothing is paid for once the gate has decided."""

import json
from pathlib import Path

from tests.conftest import Run
from tests.openai_server import OpenAIServer

GATE = """\
# stop as soon as it is plain
rules:
  - {_target_: vcmp.gates.NonInferiority, metric: mentions_facts, margin: 0.15}
looks: 4
"""
N_CASES = 80


def write_project(project: Path) -> None:
    (project / "conf/gate/early.yaml").write_text(GATE, encoding="utf-8")
    lines = (
        json.dumps(
            {
                "id": f"q{number:02}",
                "inputs": {"question": f"Where is order {number}?"},
                "expectations": {"expected_facts": ["order"]},
            }
        )
        for number in range(N_CASES)
    )
    (project / "cases.jsonl").write_text("\n".join(lines), encoding="utf-8")


def run(vcmp: Run, server: OpenAIServer, *more: str):
    return vcmp(
        "agent=empathetic,basic", "provider=compatible", f"provider.base_url={server.base_url}",
        "dataset.path=cases.jsonl", "gate=early", "tracking=none", "concurrency=4", "-m", *more,
    )  # fmt: skip


def folder_of(project: Path) -> Path:
    (folder,) = (path for path in (project / "outputs").glob("2*") if path.is_dir())
    return folder


def test_an_unchanged_agent_stops_at_the_first_look_that_decides(project: Path, vcmp: Run):
    """The second look's 40 cases decide; no more are asked for than were in flight then."""
    write_project(project)
    with OpenAIServer(lambda _messages, _body: "Your order is on its way.") as server:
        done = run(vcmp, server)
        asked = len(server.requests)

    assert done.returncode == 0, done.stdout + done.stderr
    folder = folder_of(project)
    verdict = json.loads((folder / "verdict.json").read_text(encoding="utf-8"))
    (candidate,) = verdict["candidates"]
    assert (verdict["verdict"], candidate["look"], verdict["looks"]) == ("pass", 2, 4)
    assert candidate["n_cases_used"] == candidate["findings"][0]["n"] == 40
    assert 2 * 40 <= asked <= 2 * 40 + 4 + 4
    assert "look 2 of 4, on 40" in done.stdout

    before = (folder / "verdict.json").read_bytes()
    again = vcmp("conclude", str(folder.relative_to(project)))

    assert again.returncode == 0, again.stdout + again.stderr
    assert (folder / "verdict.json").read_bytes() == before


def test_a_plain_loss_stops_as_well_and_fails(project: Path, vcmp: Run):
    write_project(project)

    def answer(messages: list[dict[str, str]], _body: object) -> str:
        return "No idea." if "caring" in str(messages) else "Your order is on its way."

    with OpenAIServer(answer) as server:
        done = run(vcmp, server)
        asked = len(server.requests)

    assert done.returncode == 1, done.stdout + done.stderr
    assert asked <= 2 * 20 + 4 + 4
