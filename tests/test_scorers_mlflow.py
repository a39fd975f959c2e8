"""MLflow's scorers through the adapter, with MLflow's own code, against a server on this machine.

In a process of its own: importing MLflow changes the process (environment, warnings, hooks), and
two processes show that a card does not depend on the hash seed.
"""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.conftest import ROOT, start_vcmp

PROGRAM = """
import json, os, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

models = []

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        models.append(request["model"])
        text = '{"rationale": "it is not", "result": "no"}'
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        reply = {"id": "x", "object": "chat.completion", "created": 0, "choices": [choice]}
        body = json.dumps({**reply, "model": request["model"], "usage": usage}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/v1"
os.environ.update(OPENAI_BASE_URL=url, OPENAI_API_BASE=url, OPENAI_API_KEY="none")

from typing import Literal

import mlflow.genai
import yaml
from hydra.utils import instantiate
from mlflow.entities import Feedback
from mlflow.genai import scorers
from mlflow.genai.judges import make_judge

from vcmp.errors import ConfigError
from vcmp.scorers import adapt, card_of
from vcmp.types import Case

@mlflow.genai.scorer
def short(outputs):
    return len(outputs) < 9

@mlflow.genai.scorer
def both(outputs, expectations):
    return [Feedback(name="a", value=True), Feedback(name="b", value=0.5, rationale="half")]

class Own(scorers.Scorer):
    limit: int = 3

    def __call__(self, outputs):
        return len(outputs) < self.limit

case = Case(id="c1", inputs={"question": "q"}, expectations={"expected_facts": ["f"]})
mini = "openai:/gpt-4o-mini"
yes_no = Literal["yes", "no"]
built = {
    "guidelines": scorers.Guidelines(guidelines=["be kind"], model=mini),
    "relevance": scorers.RelevanceToQuery(),
    "correctness": scorers.Correctness(),
    "safety": scorers.Safety(),
    "made": make_judge("m", "Is {{ outputs }} right?", model=mini, feedback_value_type=yes_no),
    "regex": scorers.RegexMatch(pattern="^an"),
    "short": short,
    "both": both,
    "own": Own(name="own"),
}
found = {}
for name, scorer in built.items():
    models.clear()
    score, card = adapt(scorer)(case, "an answer"), card_of(scorer)
    assert not score.error, score
    found[name] = [score.value, score.rationale, list(models), card.judge, card.model, card.digest]

def refusal(scorer):
    try:
        adapt(scorer)
    except ConfigError as error:
        return str(error)

found["refused"] = [
    refusal(make_judge("m", "Look at {{ trace }}.", model=mini)),
    refusal(scorers.ConversationCompleteness()),
    refusal(scorers.RetrievalGroundedness()),
]
other = scorers.Guidelines(guidelines=["be brief"], model=mini)
found["other"] = card_of(other).digest

models.clear()
nodes = yaml.safe_load(open(sys.argv[1]))
configured = [adapt(instantiate(node, _convert_="all")) for node in nodes.values()]
found["configured"] = [list(nodes), [scorer(case, "x").value for scorer in configured], models]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> list[dict[str, Any]]:
    """What two processes found, each with another hash seed."""
    program = tmp_path_factory.mktemp("mlflow") / "program.py"
    program.write_text(PROGRAM)
    arguments = [str(program), str(ROOT / "conf/scorers/mlflow.yaml")]
    environment = {
        "PYTHONPATH": str(ROOT),
        "PYTHONHASHSEED": "1",  # the warm process has a random one
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_DISABLE_AGENT_HINT": "1",
        "MLFLOW_MODEL_CATALOG_URI": "",
    }
    run = "runpy.run_path(sys.argv[0], None, '__main__')"
    code = f"import runpy, sys; sys.argv = {arguments}; {run}"
    started = [
        subprocess.Popen(
            [sys.executable, *arguments],
            env=environment, cwd=program.parent, stdout=subprocess.PIPE, text=True,
        ),
        start_vcmp(program.parent, code=code),
    ]  # fmt: skip
    answers = [process.communicate()[0] for process in started]
    assert [process.returncode for process in started] == [0, 0]
    assert [path.name for path in program.parent.iterdir()] == ["program.py"]
    return [json.loads(answer) for answer in answers]


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("guidelines", "gpt-4o-mini"),
        ("relevance", "gpt-4.1-mini"),
        ("correctness", "gpt-4.1-mini"),
        ("safety", "gpt-4.1-mini"),
        ("made", "gpt-4o-mini"),
    ],
)
def test_judges_of_mlflow_ask_the_endpoint_of_the_provider(found, name, model):
    """Unchanged, with one request each, and with the model they ask on their card."""
    value, rationale, asked, judge, on_card, _ = found[0][name]

    assert (value, rationale, asked) == (0.0, "it is not", [model])
    assert (judge, on_card) == (True, f"openai:/{model}")


@pytest.mark.parametrize(
    ("name", "score", "rationale"),
    [
        ("regex", 1.0, "Output matches pattern '^an'"),
        ("short", 0.0, ""),
        ("both", 0.75, "b: half"),
        ("own", 0.0, ""),
    ],
)
def test_rules_of_mlflow_ask_nobody(found, name, score, rationale):
    assert found[0][name][:5] == [score, rationale, [], False, ""]


def test_cards_of_mlflow_scorers_are_the_same_in_every_process(found):
    one, other = found

    assert [one[name][-1] for name in ("guidelines", "made", "short", "own")] == [
        other[name][-1] for name in ("guidelines", "made", "short", "own")
    ]
    assert one["guidelines"][-1] != one["other"]


def test_what_needs_a_trace_or_a_session_is_refused(found):
    """A score comes before anything is recorded, so each case of such a scorer would fail."""
    ending = "and vcmp scores one output at a time. Name inputs, outputs and expectations in it."

    assert found[0]["refused"] == [
        f"InstructionsJudge judges trace, {ending}",
        f"ConversationCompleteness judges whole sessions, {ending}",
        "RetrievalGroundedness takes (trace). A scorer takes (case, output), (output), or some of "
        "inputs, outputs and expectations.",
    ]


def test_the_choice_of_mlflow_judges_works_as_it_is_configured(found):
    names = ["relevance_to_query", "support_guidelines"]

    assert found[0]["configured"] == [names, [0.0, 0.0], ["gpt-4o-mini"] * 2]
