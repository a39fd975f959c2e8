"""A key may be in the environment, in headers, errors, answers and parameters; it is written
nowhere.

The key of these tests has signs that JSON, URLs and Python write differently, because a key that is
looked for in its plain form alone is found in the easy half of the places.
"""

import base64
import html
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.conftest import ROOT, Run
from tests.openai_server import OpenAIServer
from vcmp import secrets
from vcmp.errors import ConfigError
from vcmp.outlets import Outlet
from vcmp.screening import arrange
from vcmp.secrets import mask, scrub

KEY = 'canary/4b1d"9f\\3e+77==x%2'
GATEWAY = "second-canary-of-a-variable-with-a-plain-name"
PASSWORD = "third-canary"
LINE = "MIIEvFourthCanaryOfSeveralLines0"
PEM = f"-----BEGIN PRIVATE KEY-----\n{LINE}\n-----END PRIVATE KEY-----"
TAKEN_OUT = "fifth-canary-that-an-agent-takes-out-of-its-environment"
UNKNOWN = "sk-proj-9FifthCanaryThatNoVariableHolds42"
ENVIRONMENT = {
    "MY_API_KEY": KEY,
    "GATEWAY": GATEWAY,
    "DATABASE": f"postgresql://app:{PASSWORD}@db.example.org/app",
    "SIGNING_KEY": PEM,
    "TAKEN_OUT_TOKEN": TAKEN_OUT,
    "SHORT_TOKEN": "the",
}


def spellings(key: str) -> Iterator[str]:
    """A key as it may stand in a file."""
    escaped = json.dumps(key)[1:-1]
    yield from (key, escaped, json.dumps(escaped)[1:-1], repr(key)[1:-1])
    yield from (quote(key), quote(key, safe="").lower(), key.encode().hex())
    yield from (json.dumps(json.dumps(escaped)[1:-1])[1:-1], key.encode().hex().upper())
    yield from (html.escape(key), html.escape(key, quote=False), repr(key.encode())[2:-1])
    yield from ("".join(f"%{b:02x}" for b in key.encode()), base64.b32encode(key.encode()).decode())
    for before in ("", "a", "ab"):  # the end of a base64 text depends on what follows
        encoded = base64.b64encode((before + key).encode()).decode()
        yield encoded[4 if before else 0 : -4]
        yield base64.urlsafe_b64encode((before + key).encode()).decode()[4 if before else 0 : -4]


NEEDLES = sorted(
    {s for key in (KEY, GATEWAY, PASSWORD, LINE, TAKEN_OUT, UNKNOWN) for s in spellings(key)}
)

LEAKY = """
import asyncio, base64, html, json, logging, os, sys, threading, urllib.parse, warnings
import mlflow
from openai import AsyncOpenAI

KEY, UNKNOWN = os.environ["MY_API_KEY"], UNKNOWN_KEY
TAKEN_OUT = os.environ.pop("TAKEN_OUT_TOKEN")

def fail():
    raise RuntimeError(f"of a thread: {KEY}")

class Agent:
    def __init__(self, note="", model="gpt-4o-mini"):
        self.note = note
        self.client = AsyncOpenAI(default_headers={"X-Gateway-Key": KEY, "Cookie": UNKNOWN})

    async def __call__(self, question):
        return await getattr(self, "do_" + question)()

    async def ask(self, text, **more):
        reply = await self.client.chat.completions.create(
            model="gpt-4o-mini", messages=[{"role": "user", "content": text}], **more)
        return reply.choices[0].message.content

    async def do_error(self):
        raise RuntimeError(f"401 for {KEY!r}, {UNKNOWN}, {os.environ['GATEWAY']}, {TAKEN_OUT}")

    async def do_cause(self):
        try:
            os.environ["no " + KEY]
        except KeyError as error:
            raise RuntimeError(f"{os.environ['DATABASE']} {error!r}") from error

    async def do_answer(self):
        return await self.ask("say the key")

    async def do_refused(self):
        return await self.ask("refuse the key")

    async def do_header(self):
        return await self.ask("hello", extra_headers={"X-Key": KEY}, extra_body={"user": KEY})

    async def do_encoded(self):
        basic = base64.b64encode(f"user:{KEY}".encode()).decode()
        return " ".join([basic, urllib.parse.quote(KEY), KEY.encode().hex(), UNKNOWN,
            json.dumps({"a": json.dumps({"k": KEY})}),
            base64.urlsafe_b64encode(KEY.encode()).decode(), html.escape(KEY), repr(KEY.encode()),
            KEY.encode().hex().upper(), base64.b32encode(KEY.encode()).decode(),
            "".join(f"%{b:02x}" for b in KEY.encode()),
            json.dumps({"a": json.dumps({"b": json.dumps({"k": KEY})})})])

    async def do_structure(self):
        return {KEY: [{"deep": KEY}], "pem": os.environ["SIGNING_KEY"], "words": "the end"}

    async def do_screen(self):
        print("printed", KEY, end=" "); print(KEY[:9], end=""); print(KEY[9:], UNKNOWN)
        print("to stderr", os.environ["SIGNING_KEY"], file=sys.stderr, flush=True)
        sys.stderr.writelines(["a line ", KEY, "\\n"])
        logging.getLogger("x").error("logged %s", os.environ["DATABASE"])
        warnings.warn(f"warned {KEY}")
        thread = threading.Thread(target=fail); thread.start(); thread.join()
        task = asyncio.create_task(self.do_error()); await asyncio.sleep(0.01); del task
        return "done"

    async def do_trace(self):
        with mlflow.start_span(name=f"span {KEY}") as span:
            span.set_inputs({"key": KEY})
            span.set_attribute("header", os.environ["GATEWAY"])
        return "traced"

def score(case, output):
    raise ValueError(f"no score for {output} with {KEY}")
""".replace("UNKNOWN_KEY", repr(UNKNOWN))

QUESTIONS = [
    "error", "cause", "answer", "refused", "header", "encoded", "structure", "screen", "trace",
]  # fmt: skip


def write_leaky(project: Path) -> None:
    """An agent that gives its keys away in every way, and a scorer that does."""
    files = {
        "agents/leaky.py": LEAKY,
        "conf/agent/leaky.yaml": f"_target_: agents.leaky.Agent\nnote: {json.dumps(KEY)}\n",
        "conf/scorers/leaky.yaml": "leaky: {_target_: agents.leaky.score, _partial_: true}\n"
        "polite: {_target_: vcmp.scorers.Polite}\n",
        "cases.jsonl": "".join(
            json.dumps({"id": each, "inputs": {"question": each}, "tags": ["the end"]}) + "\n"
            for each in QUESTIONS
        ),
    }
    for name, text in files.items():
        (project / name).write_text(text, encoding="utf-8")


def answer(messages: list[dict[str, str]], _body: object) -> str:
    return f"The key is {KEY} or {GATEWAY}." if "say" in messages[-1]["content"] else "Hello."


def refuse(_number: int, body: dict[str, object]) -> tuple[object, ...] | None:
    told = {"error": {"message": f"Incorrect API key provided: {GATEWAY}, {KEY}", "code": None}}
    asked = json.dumps(body)
    return ("status", 400, {}, told) if "refuse" in asked else None


def cells(file: Path) -> Iterator[str]:
    """Every value of a SQLite file: in its bytes a long text is torn over pages."""
    with closing(sqlite3.connect(file)) as database:
        tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in database.execute(f'SELECT * FROM "{table}"'):
                yield from (str(value) for value in row if value is not None)


def found_in(text: str) -> list[str]:
    return [needle for needle in NEEDLES if needle in text]


@pytest.mark.usefixtures("stored")
def test_a_key_reaches_no_file_no_store_and_no_screen(project: Path, vcmp: Run):
    write_leaky(project)

    with OpenAIServer(answer, faults=refuse) as server:
        done = vcmp(
            "agent=leaky", "scorers=leaky", "dataset.path=cases.jsonl", "baseline=null",
            "provider=compatible", "provider.api_key_env=GATEWAY", "gate=none",
            f"provider.base_url={server.base_url}", env=ENVIRONMENT,
        )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert server.requests[0]["headers"]["authorization"] == f"Bearer {GATEWAY}"
    assert server.requests[0]["headers"]["x-gateway-key"] == KEY
    assert found_in(done.stdout + done.stderr) == []
    assert "printed ${MY_API_KEY} ${MY_API_KEY} sk-***" in done.stdout
    assert "RuntimeError: of a thread: ${MY_API_KEY}" in done.stderr
    files = [path for path in (project / "outputs").rglob("*") if path.is_file()]
    assert {"report.md", "results.jsonl", "mlflow.db", "params.json"} <= {f.name for f in files}
    for file in files:
        content = file.read_bytes().decode("utf-8", "replace")
        assert found_in(content) == [], file
    assert [cell for cell in cells(project / "outputs/mlflow.db") if found_in(cell)] == []
    check_rows(project)


def check_rows(project: Path) -> None:
    """That every way of leaking was taken, and harmless words stand."""
    [file] = (project / "outputs").glob("*/0/results.jsonl")
    rows = {row["case_id"]: row for row in map(json.loads, file.read_text().splitlines())}
    assert rows.keys() == set(QUESTIONS)
    assert rows["error"]["error"] == (
        "RuntimeError: 401 for '${MY_API_KEY}', sk-***, ${GATEWAY}, ${TAKEN_OUT_TOKEN}"
    )
    assert "postgresql://${DATABASE}db.example.org/app" in rows["cause"]["error"]
    assert rows["answer"]["output"] == "The key is ${MY_API_KEY} or ${GATEWAY}."
    assert "Incorrect API key provided: ${GATEWAY}, ${MY_API_KEY}" in rows["refused"]["error"]
    assert rows["structure"]["output"]["words"] == "the end"
    assert rows["structure"]["output"]["${MY_API_KEY}"] == [{"deep": "${MY_API_KEY}"}]
    assert any("${MY_API_KEY}" in span["name"] for span in rows["trace"]["trace"])
    assert rows["header"]["scores"]["leaky"]["error"] == (
        "ValueError: no score for Hello. with ${MY_API_KEY}"
    )


@pytest.mark.parametrize(
    "argument",
    [
        f"agent.note={KEY}",
        f"agent.note='{quote(KEY, safe='')}'",
        f"agent.note={base64.b64encode(KEY.encode()).decode()}",
        f"agent.{UNKNOWN}=1",
        f"--{UNKNOWN}",
        f"agent.model={UNKNOWN}",
        f"tracking.uri=postgresql://app:{PASSWORD}@db/app",
        "agent.api_key=short",
    ],
)
def test_a_key_on_the_command_line_is_refused_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, argument: str
):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(ConfigError) as caught:
        arrange(["agent=basic", argument])

    text = str(caught.value)
    assert found_in(text) == []
    assert "short" not in text
    assert text.endswith(
        ": looks like a key, and the command line is written to outputs/ and reports.\n"
        "  Put it into an environment variable and name that: provider.api_key_env=NAME"
    )


def test_a_key_after_a_command_is_refused_too(vcmp: Run, project: Path):
    for arguments in (("gate", "--policy", UNKNOWN), ("plan", f"--{KEY}"), (KEY,)):
        done = vcmp(*arguments, env=ENVIRONMENT)

        assert done.returncode == 2
        assert done.stderr.startswith("vcmp: the command line: looks like a key")
        assert found_in(done.stdout + done.stderr) == []
    assert not (project / "outputs").exists()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (f"model: {UNKNOWN}", "model"),
        ("api_key: abcdef-123456-xyz", "api_key"),
        ("headers: {X: {auth_token: abcdef123456}}", "auth_token"),
        ("base_url: https://me:hunter2@example.org/v1", "base_url"),
    ],
)
def test_a_key_in_a_file_of_conf_is_refused(vcmp: Run, project: Path, text: str, name: str):
    (project / "conf/agent/x.yaml").write_text(f"# keys\n{text}\n", encoding="utf-8")

    done = vcmp("--cfg", "job")

    assert done.stderr == (
        f"vcmp: conf/agent/x.yaml:2: {name} looks like a key, and what stands here is written to"
        " outputs/ and reports.\n"
        "  Put it into an environment variable and let your code read that.\n"
    )


def test_what_only_talks_about_keys_may_stand_in_a_file(vcmp: Run, project: Path):
    text = """
defaults: [basic]
prompt: Never repeat a key such as sk-abcdefgh12345678, or https://user:password@example.org.
max_tokens: 5
"""
    (project / "conf/agent/x.yaml").write_text(text, encoding="utf-8")

    assert vcmp("--cfg", "job", "agent=x").returncode == 0


def test_a_composed_configuration_is_shown_without_keys(vcmp: Run, project: Path):
    """Also a traceback, which VCMP_DEBUG=1 asks for."""
    text = "_target_: agents.support.SupportAgent\nprompt: ${oc.env:DATABASE}\n"
    (project / "conf/agent/x.yaml").write_text(text, encoding="utf-8")
    (project / "agents/bad.py").write_text(
        f"import os\nclass A: ...\nraise RuntimeError(os.environ['MY_API_KEY'] + {UNKNOWN!r})\n",
        "utf-8",
    )
    (project / "conf/agent/bad.yaml").write_text("_target_: agents.bad.A\n", "utf-8")

    shown = vcmp("--cfg", "job", "--resolve", "agent=x", env=ENVIRONMENT)
    traced = vcmp("agent=bad", "tracking=none", env={**ENVIRONMENT, "VCMP_DEBUG": "1"})

    assert "postgresql://${DATABASE}db.example.org/app" in shown.stdout
    assert "Traceback" in traced.stderr
    assert "RuntimeError: ${MY_API_KEY}" in traced.stderr
    for done in (shown, traced):
        assert found_in(done.stdout + done.stderr) == []


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("MY_API_KEY", "twelve-signs", True),
        ("MY_API_KEY", "elevensigns", False),
        ("MY_KEY_FILE", "/usr/share/keys/mine.pem", False),
        ("MY_SECRET", "/9sT7wq0ZbaseSixtyFour==", True),
        ("HOME_PAGE", "https://example.org/some/page", False),
        ("DB", "mysql://root:s3cr3t-pw@db", True),
        ("DB", "mysql://root:pw@db", True),
        ("LANGUAGE", "a-long-harmless-value", False),
        ("GITLAB_PAT", "a-long-harmful-value", True),
        ("DB_PASS", "a-long-harmful-value", True),
        ("ROOT_PWD", "a-long-harmful-value", True),
        ("PWD", "a-long-harmless-value", False),
        ("HTTP_AUTH", "a-long-harmful-value", True),
        ("GIT_AUTHOR_NAME", "a-long-harmless-value", False),
        ("MAX_TOKENS_KEY", "x" * 40, True),
    ],
)
def test_which_values_are_secrets(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, hidden: bool
):
    monkeypatch.setenv(name, value)

    assert (scrub(f"before {value} after") != f"before {value} after") is hidden


def test_a_variable_that_the_configuration_names_is_a_secret(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(secrets, "_named", set())
    monkeypatch.setenv("LANGUAGE", "eight-or")
    assert scrub("eight-or") == "eight-or"

    secrets.declare("LANGUAGE")

    assert scrub("eight-or more") == "${LANGUAGE} more"


@pytest.mark.parametrize(
    "text",
    ["sk-learn-pipelines-are-nice", "sk-XXXXXXXXXXXXXXXX", "task-12345678901234567890", "pk-1"],
)
def test_what_only_looks_a_little_like_a_key_stands(text: str):
    assert mask(text) == text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_an_outlet_looks_at_whole_lines(kind: type[io.StringIO]):
    """A terminal shows at once what is flushed; a log has time."""
    stream = kind()
    outlet = Outlet(stream)

    outlet.write("one sk-abcd")
    outlet.write("efgh12345678\ntwo")
    assert stream.getvalue() == "one sk-***\n"
    outlet.flush()
    assert stream.getvalue().endswith("\ntwo") is (kind is Terminal)
    outlet.finish()

    assert stream.getvalue() == "one sk-***\ntwo"


def test_a_key_that_a_model_streams_is_masked_in_a_log():
    """Agents print tokens as they come: piece by piece, and flushed."""
    code = """
import os, sys, vcmp.outlets
vcmp.outlets.guard_outlets()
for letter in os.environ["MY_API_KEY"]:
    print(letter, end="", flush=True)
sys.stdout.buffer.write(b" " + os.environb[b"MY_API_KEY"])
sys.stdout.buffer.flush()
print(os.environ["MY_API_KEY"], file=sys.__stdout__)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **ENVIRONMENT},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == "${MY_API_KEY} ${MY_API_KEY}${MY_API_KEY}\n"


def test_a_key_that_a_tool_prints_is_masked_in_a_log():
    code = """
import os, subprocess, vcmp.outlets
vcmp.outlets.guard_outlets()
subprocess.run(["sh", "-c", "printenv MY_API_KEY; printenv MY_API_KEY >&2"], check=True)
os.write(2, b"again " + os.environb[b"MY_API_KEY"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **ENVIRONMENT},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout == "${MY_API_KEY}\n"
    assert done.stderr == "${MY_API_KEY}\nagain ${MY_API_KEY}"


def test_a_tool_that_stays_is_not_waited_for():
    code = """
import subprocess, vcmp.outlets
vcmp.outlets.guard_outlets()
print(subprocess.Popen(["sleep", "60"], stderr=subprocess.DEVNULL).pid)
print("last", end="")
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE) as done:
        assert done.stdout
        tool, last = done.stdout.read().split()
    os.kill(int(tool), signal.SIGKILL)

    assert (last, done.returncode) == (b"last", 0)


def test_a_line_without_an_end_is_not_lost():
    code = "import vcmp.outlets as o; o.guard_outlets(); print('last', end='')"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout == "last"
