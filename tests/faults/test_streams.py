"""Streams that are none, that break off, or that say themselves that they failed."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Run
from tests.faults.test_provider import settings
from tests.sweeps import rows, write
from vcmp.testing import Fault, FaultServer, Received, faults
from vcmp.testing.replies import Page

AGENT = '''"""Reads what it asks for as a stream, to the end or not."""

from openai import AsyncOpenAI, OpenAI

MODEL = "gpt-4o-mini"


def asked(question):
    return {"model": MODEL, "messages": [{"role": "user", "content": question}], "stream": True}


def chat(question):
    chunks = OpenAI().chat.completions.create(**asked(question))
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


async def async_chat(question):
    said = ""
    async for chunk in await AsyncOpenAI().chat.completions.create(**asked(question)):
        if chunk.choices:
            said += chunk.choices[0].delta.content or ""
    return said


def impatient(question):
    for chunk in OpenAI().chat.completions.create(**asked(question)):
        if chunk.choices[0].delta.content:
            return chunk.choices[0].delta.content


def response(question):
    events = OpenAI().responses.create(model=MODEL, input=question, stream=True)
    return "".join(e.delta for e in events if e.type == "response.output_text.delta")


def whole_response(question):
    return OpenAI().responses.create(model=MODEL, input=question).output_text
'''


@pytest.fixture
def streams(project: Path) -> None:
    write(project, "agents/streams.py", AGENT)
    for name in ("chat", "async_chat", "impatient", "response", "whole_response"):
        write(
            project,
            f"conf/agent/{name}.yaml",
            f"_target_: agents.streams.{name}\n_partial_: true\n",
        )


def events(*said: Mapping[str, Any] | str, done: bool = False) -> Fault:
    """A stream that ends in order after these events."""
    texts = [one if isinstance(one, str) else json.dumps(one) for one in said]
    body = "".join(f"data: {text}\n\n" for text in [*texts, *(["[DONE]"] if done else [])])
    return Fault(name="events", reply=Page(status=200, body=body, kind="text/event-stream"))


def chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}


def reply(status: str, text: str, **more: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    said = {"type": "message", "id": "m", "role": "assistant", "content": [part]}
    return {"id": "r", "object": "response", "status": status, "output": [said], **more}


def delta(text: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": text}


def document(body: Mapping[str, Any]) -> Fault:
    return Fault(name="document", reply=Page(status=200, body=json.dumps(body)))


FAILED = {"code": "server_error", "message": "The model failed."}
BROKEN_OFF = "BrokenReplyError: the stream broke off"
SAID_FAILED = "BrokenReplyError: the reply is an error: server_error: The model failed."
CHATS = {
    "whole": (faults.answer("Hello."), "ok", 1, ""),
    "no-done": (events(chunk("Hello.", "stop")), "ok", 1, ""),
    "usage-last": (events(chunk("Hello.", "stop"), {"choices": [], "usage": None}), "ok", 1, ""),
    "no-finish": (events(chunk("Hello."), done=True), "ok", 1, ""),
    "cut": (events(chunk("Hello")), "error", 1, BROKEN_OFF),
    "nothing": (events(), "error", 1, BROKEN_OFF),
    "error-event": (events(chunk("He"), {"error": FAILED}), "error", 1, "APIError: The model"),
    "html": (faults.html_with_200(), "error", 3, "JSONDecodeError: the reply is not JSON"),
    "error": (document({"error": FAILED}), "error", 3, "BrokenReplyError: the reply is an error: "),
    "not-a-stream": (document({"a": 1}), "error", 3, "BrokenReplyError: the reply is no stream"),
}
"""By question: what comes, the outcome, the attempts, and how the error begins."""
RESPONSES = {
    "whole": CHATS["whole"],
    "cut": (events(delta("He")), "error", 1, BROKEN_OFF),
    "failed": (
        events(
            delta("He"),
            {"type": "response.failed", "response": reply("failed", "He", error=FAILED)},
        ),
        "error", 1, SAID_FAILED,
    ),
    "error-event": (events(delta("He"), {"type": "error", **FAILED}), "error", 1, SAID_FAILED),
    "incomplete": (
        events(
            delta("He"),
            {
                "type": "response.incomplete",
                "response": reply(
                    "incomplete", "He", incomplete_details={"reason": "max_output_tokens"}
                ),
            },
        ),
        "truncated", 1, "",
    ),
}  # fmt: skip
WHOLE_RESPONSES = {
    "whole": CHATS["whole"],
    "failed": (document(reply("failed", "He", error=FAILED)), "error", 3, SAID_FAILED),
    "failed-empty": (document(reply("failed", "", error=FAILED)), "error", 3, SAID_FAILED),
    "failed-why": (
        document(reply("failed", "He", error=None)),
        "error", 3, "BrokenReplyError: the reply is an error: it does not say which",
    ),
}  # fmt: skip
Table = dict[str, tuple[Fault, str, int, str]]


def asked(request: Received) -> str:
    body = request.body
    return str(body["input"] if "input" in body else body["messages"][-1]["content"])


@pytest.mark.parametrize(
    ("agent", "table"),
    [
        ("chat", CHATS), ("async_chat", CHATS), ("response", RESPONSES),
        ("whole_response", WHOLE_RESPONSES),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("streams")
def test_half_an_answer_is_no_answer(project: Path, vcmp: Run, agent: str, table: Table):
    """What is no stream at all, and no reply outside of one, is asked for again."""
    lines = [json.dumps({"id": name, "inputs": {"question": name}}) for name in table]
    write(project, "cases.jsonl", "\n".join(lines))
    with FaultServer(choose=lambda request: table[asked(request)][0]) as server:
        done = vcmp(
            *settings(server, "dataset.path=cases.jsonl", "dataset.limit=null", agent=agent),
        )
    found = {row["case_id"]: row for row in rows(project)}

    assert {name: row["outcome"] for name, row in found.items()} == {
        name: outcome for name, (_, outcome, _, _) in table.items()
    }, done.stdout + done.stderr
    assert Counter(map(asked, server.requests)) == {
        name: attempts for name, (_, _, attempts, _) in table.items()
    }
    for name, (_, _, _, error) in table.items():
        assert found[name]["error"].startswith(error)
        assert bool(found[name]["error"]) == bool(error) == bool(found[name]["calls"][0]["error"])


@pytest.mark.usefixtures("streams")
def test_an_agent_may_stop_reading(project: Path, vcmp: Run):
    """What has come until then is what it asked for, and it is counted."""
    with FaultServer([faults.answer("Hello, who are you?")]) as server:
        vcmp(*settings(server, "dataset.limit=30", "concurrency=16", agent="impatient"))

    assert [row["outcome"] for row in rows(project)] == ["ok"] * 30
    assert [len(row["calls"]) for row in rows(project)] == [1] * 30
    assert {call["error"] for row in rows(project) for call in row["calls"]} == {""}
