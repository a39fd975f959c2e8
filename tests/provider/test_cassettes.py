"""Cassettes, recorded and played by the real openai SDK against a server that is not vcmp's."""

import asyncio
import json
import os
import random
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.openai_server import OpenAIServer
from vcmp.calls import Call, Slot, collect
from vcmp.errors import ConfigError, EvaluationError, ResultsError
from vcmp.evaluation import Interrupt
from vcmp.provider import Compatible, OpenAI, Record, Replay, Scripted, StoppedError, meter
from vcmp.types import Budget, Limits

KEY = "sk-canary-7f3a9b1c2d4e"
WHERE: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Where is it?"}]}


@pytest.fixture(autouse=True)
def _folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


class Unbraked:
    """Lets every request be sent, whatever became of others."""

    def requested(self) -> bool:
        return False

    def stop(self, reason: str, mend: str = "") -> None:
        pass


def numbered(**how: Any) -> OpenAIServer:
    """A server that never says the same twice."""
    numbers = count()
    return OpenAIServer(lambda *_: f"answer {next(numbers)}", **how)


@contextmanager
def answered(provider: Any, **limits: Any) -> Iterator[Any]:
    with provider, meter(Limits(**limits), Unbraked()):
        yield provider


@contextmanager
def recording(server: OpenAIServer, cassette: str = "cassettes") -> Iterator[None]:
    with server, answered(Record(cassette, upstream=server.base_url)):
        yield


@contextmanager
def lacking() -> Iterator[Replay]:
    """A replay in which something is missing, which it says when it ends."""
    provider = Replay()
    with pytest.raises(EvaluationError), answered(provider):
        yield provider


def ask(slot: Slot | None = None, **request: Any) -> tuple[str, Call]:
    """One call by a new client, as an agent that makes its own."""
    with collect(slot) as calls, openai.OpenAI() as client:
        text = client.chat.completions.create(**{**WHERE, **request}).choices[0].message.content
    return str(text), calls[0]


def place(case_id: str = "a", repeat: int = 0, variant: str = "basic", scorer: str = "") -> Slot:
    return Slot(variant=variant, case_id=case_id, repeat=repeat, scorer=scorer)


def files(folder: str = "cassettes") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def documents(folder: str = "cassettes") -> list[Any]:
    return [json.loads(content) for content in files(folder).values()]


def message_of(error: openai.APIStatusError) -> str:
    assert isinstance(error.body, dict)
    return str(error.body["message"])


def test_a_replay_says_what_was_said_without_key_or_server(monkeypatch):
    """A pull request is judged by what a model said once."""
    with recording(OpenAIServer(lambda *_: "It is on its way.")):
        said, first = ask(place())
    monkeypatch.delenv("OPENAI_API_KEY")
    with answered(Replay()) as provider:
        again, call = ask(place())

    assert (said, again) == ("It is on its way.", "It is on its way.")
    assert (first.source, call.source) == ("live", "replayed")
    assert (call.model, call.input_tokens, call.output_tokens) == ("gpt-4o-mini", 3, 5)
    assert call.cost_usd == first.cost_usd
    assert call.cost_usd
    assert provider.answerer.name == "replay"
    assert provider.answerer.description == (
        "recordings in cassettes, no language model was called now"
    )


def test_a_file_holds_one_request_and_its_replies_and_no_headers():
    """It is committed, and read by people."""
    with recording(OpenAIServer(lambda *_: "Soon.")):
        ask(place("late", 1), temperature=0.2)

    ((name, content),) = files().items()
    document = json.loads(content)
    assert content.decode().startswith('{\n "schema": 1,\n "request": {\n  "method": "POST"')
    assert len(name) == 64 + len(".json")
    assert document["request"] == {
        "method": "POST",
        "path": "/chat/completions",
        "body": {**WHERE, "temperature": 0.2},
    }
    (reply,) = document["replies"]
    said = reply.pop("content")
    assert reply == {
        "slot": {"variant": "basic", "case_id": "late", "repeat": 1, "scorer": ""},
        "number": 0,
        "api": "http://127.0.0.1/v1",
        "kind": "application/json",
    }
    assert said["choices"][0]["message"]["content"] == "Soon."


def test_no_key_is_in_a_file(monkeypatch):
    """Neither the one that was sent, nor one that the agent or the model wrote out."""
    monkeypatch.setenv("OTHER_TOKEN", "canary-of-another-kind")
    spilled = f"{KEY} and canary-of-another-kind"
    server = OpenAIServer(lambda *_: f"Your keys are {spilled}.")
    request = {"messages": [{"role": "user", "content": f"Guess: {spilled}"}]}
    with recording(server):
        said, _ = ask(**request)

    assert KEY in said
    assert server.requests[0]["headers"]["authorization"] == f"Bearer {KEY}"
    (content,) = files().values()
    assert b"canary" not in content
    assert b"Guess: ${OPENAI_API_KEY} and ${OTHER_TOKEN}" in content


def test_the_model_does_not_learn_for_which_case_it_is_asked():
    """The mark is between vcmp and itself."""
    server = OpenAIServer()
    with recording(server):
        ask(place())
    with OpenAIServer() as plain, answered(Compatible(plain.base_url)):
        ask(place())

    sent = [*server.requests[0]["headers"], *plain.requests[0]["headers"]]
    assert [name for name in sent if name.startswith("x-vcmp")] == []


def test_streams_pass_as_they_come_and_are_played_whole():
    """Of both APIs, sync and async."""

    async def respond() -> str:
        async with openai.AsyncOpenAI() as client:
            events = await client.responses.create(model="m", input="Where is it?", stream=True)
            return "".join([e.delta async for e in events if e.type.endswith("text.delta")])

    def chat() -> str:
        with openai.OpenAI() as client:
            options = {"include_usage": True}
            chunks = client.chat.completions.create(**WHERE, stream=True, stream_options=options)
            return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)

    server = OpenAIServer(lambda *_: "It is on its way.")
    with recording(server), collect() as first:
        said = [chat(), asyncio.run(respond())]
    with answered(Replay()), collect() as calls:
        again = [chat(), asyncio.run(respond())]

    assert said == again == ["It is on its way."] * 2
    assert [call.source for call in first] == ["live"] * 2
    assert [call.source for call in calls] == ["replayed"] * 2
    assert [(c.output_tokens, c.finish) for c in calls] == [(5, "stop")] * 2


def test_a_stream_is_passed_on_before_it_has_ended():
    """An agent that shows words as they come does so while it is recorded."""
    server = OpenAIServer(lambda *_: "one two", faults=lambda *_: ("drip", 0.002))
    with recording(server), openai.OpenAI() as client:
        stream = iter(client.chat.completions.create(**WHERE, stream=True))
        next(stream)
        in_flight = server.in_flight
        rest = list(stream)

    assert (in_flight, len(rest)) == (1, 3)
    assert documents()[0]["replies"][0]["content"][-2:] == ["data: [DONE]", ""]


def test_a_reply_that_cannot_be_kept_still_reaches_the_agent():
    """It is paid for; and the recording does not pass for a whole one."""
    Path("cassettes").write_text("in the way", encoding="utf-8")
    told: list[tuple[str, Call]] = []
    with (
        OpenAIServer(lambda *_: "Soon.") as server,
        pytest.raises(EvaluationError) as caught,
        answered(Record(upstream=server.base_url)),
    ):
        told.append(ask())

    ((said, call),) = told
    assert (said, call.attempts) == ("Soon.", 1)
    assert str(caught.value) == (
        "provider=record: cassettes is not complete: [Errno 17] File exists: 'cassettes'\n"
        "  The results are. Make room or give access, and record again"
    )


def test_a_damaged_file_of_the_cache_is_told_and_not_paid_over():
    """Once, since to try again would not mend it."""
    with OpenAIServer() as server:
        provider = Compatible(server.base_url, cache=True)
        with answered(provider):
            ask()
        (path,) = Path("outputs/.cassettes").iterdir()
        path.write_text("{", encoding="utf-8")
        with answered(provider), pytest.raises(openai.UnprocessableEntityError) as caught:
            ask()

    assert message_of(caught.value).startswith(f"{path}: is no recording (")
    assert len(server.requests) == 1


def test_the_source_is_known_of_raw_replies_too():
    """However the agent reads them."""
    with recording(OpenAIServer()):
        ask()
    with answered(Replay()), collect() as calls, openai.OpenAI() as client:
        raw = client.chat.completions.with_raw_response.create(**WHERE)
        assert raw.parse().choices

    assert [call.source for call in calls] == ["replayed"]
    assert "x-vcmp" not in str(raw.headers).lower()


def test_cases_and_repeats_that_ask_the_same_keep_their_own_replies():
    """In whatever order they are played; else a report would change from run to run."""
    slots = [
        place(case_id, repeat, variant)
        for case_id in ("a", "b")
        for repeat in range(3)
        for variant in ("basic", "warm")
    ]
    with recording(numbered()):
        said = {slot: ask(slot)[0] for slot in slots}
    random.Random(7).shuffle(slots)
    with answered(Replay()):
        again = {slot: ask(slot)[0] for slot in slots}

    assert len(set(said.values())) == 12
    assert again == said
    assert len(files()) == 1


def test_calls_with_one_body_in_one_slot_are_told_apart():
    """A judge that votes asks the same three times; scorers of one case ask beside each other."""

    def vote(slot: Slot) -> list[str]:
        with collect(slot), openai.OpenAI() as client:
            replies = [client.chat.completions.create(**WHERE) for _ in range(3)]
        return [str(reply.choices[0].message.content) for reply in replies]

    with recording(numbered()):
        said = [vote(place(scorer="polite")), vote(place(scorer="right")), vote(place())]
    with answered(Replay()):
        again = [vote(place()), vote(place(scorer="right")), vote(place(scorer="polite"))]

    assert again[::-1] == said
    assert len({text for texts in said for text in texts}) == 9


def test_who_was_renamed_gets_the_reply_of_the_same_repeat():
    """A new name is no new call."""
    with recording(numbered()):
        said = [ask(place("a", repeat))[0] for repeat in range(2)]
        ask(place("z", 0))
    with answered(Replay()):
        renamed = [ask(place("a", repeat, "other"))[0] for repeat in range(2)]
        moved = ask(place("b", 1))[0]

    assert renamed == said
    assert moved == said[1]


def test_recording_again_in_another_order_gives_the_same_files(monkeypatch):
    """A diff of a cassette shows what has changed and nothing else."""
    slots = [place(case_id, repeat) for case_id in "ab" for repeat in range(2)]

    def record(folder: str, order: list[Slot]) -> dict[str, bytes]:
        with recording(OpenAIServer(lambda *_: "Soon."), folder):
            for slot in order:
                ask(slot)
        return files(folder)

    first = record("cassettes", slots)
    assert record("cassettes", slots[::-1]) == first

    monkeypatch.setattr("tests.openai_payloads.time.time", lambda: 1.0)
    same_ids = record("one", [slots[0]]), record("two", [slots[0]])
    assert same_ids[0] == same_ids[1]


def test_what_changed_is_recorded_over():
    """Only the replies that are asked again."""
    with recording(OpenAIServer(lambda *_: "Soon.")):
        ask(place("a"))
        ask(place("b"))
    with recording(OpenAIServer(lambda *_: "Now.")):
        ask(place("b"))
    with answered(Replay()):
        assert [ask(place("a"))[0], ask(place("b"))[0]] == ["Soon.", "Now."]


def test_an_error_is_passed_on_and_not_recorded():
    """With what it says about when to come back."""

    def fault(number: int, _body: Any) -> Any:
        return ("status", 429, {"Retry-After": "0"}, "") if number == 0 else None

    server = OpenAIServer(lambda *_: "Soon.", faults=fault)
    with recording(server):
        _, call = ask(place())

    assert call.attempts == 2
    assert len(server.requests) == 2
    assert len(documents()[0]["replies"]) == 1


@pytest.mark.parametrize(
    "fault",
    [
        ("status", 400, {}, ""),
        ("status", 200, {}, json.dumps({"error": {"message": "overloaded"}})),
        ("status", 200, {}, json.dumps({"choices": []})),
        ("status", 200, {"Content-Type": "text/html"}, "<html>"),
        ("reset",),
        ("cut",),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_what_no_model_said_is_not_recorded(fault, stream):
    """It would be played for ever."""
    server = OpenAIServer(faults=lambda *_: fault)
    with (
        server,
        answered(Record(upstream=server.base_url), attempts=1),
        openai.OpenAI() as client,
        suppress(Exception),  # each fails in its own way, or not at all
    ):
        list(client.chat.completions.create(**WHERE, stream=stream))

    assert server.requests
    assert not Path("cassettes").exists()


def test_a_stream_that_nobody_reads_to_its_end_is_recorded_whole():
    """It was paid for, and the agent breaks off again when it is played."""
    with (
        recording(OpenAIServer(lambda *_: "one two three four")),
        openai.OpenAI() as client,
        client.chat.completions.create(**WHERE, stream=True) as stream,
    ):
        next(stream)

    (document,) = documents()
    assert document["replies"][0]["content"][-2:] == ["data: [DONE]", ""]


def test_an_api_that_is_not_there_is_named():
    """Not vcmp's own server is what cannot be reached."""
    with (
        answered(Record(upstream="http://127.0.0.1:1/v1"), attempts=1),
        pytest.raises(openai.InternalServerError) as caught,
    ):
        ask()

    assert message_of(caught.value) == (
        "http://127.0.0.1/v1 did not reply (ConnectError: [Errno 111] Connection refused)"
    )


def test_a_miss_names_the_nearest_recording_and_where_it_differs():
    """What has to be known to mend it; and it is never asked again, which could not help."""
    with recording(OpenAIServer()):
        ask(temperature=0.2, messages=[{"role": "user", "content": "Where is my package now?"}])
        ask(temperature=0.9)
    (near,) = (n for n, c in files().items() if b"package" in c)
    changed = [{"role": "user", "content": "Where is my parcel now?"}]
    with (
        lacking() as provider,
        collect(place()) as calls,
        openai.OpenAI() as client,
        pytest.raises(openai.NotFoundError) as caught,
    ):
        client.chat.completions.create(model="gpt-4o-mini", temperature=0.2, messages=changed)

    message = (
        f"no recording of this call in cassettes. Nearest: {near}, which differs at"
        " messages[0].content: '…ere is my package now?' there, '…ere is my parcel now?' here."
        " Record it: provider=record"
    )
    assert message_of(caught.value) == message
    with pytest.raises(EvaluationError) as ended:
        provider.refuse_missing()
    assert str(ended.value) == f"provider=replay: {message}"
    assert ended.value.exit_code == 4
    (call,) = calls
    assert (call.failure, call.attempts, call.source) == ("missing", 1, "replayed")


def test_a_field_that_is_not_there_differs_too():
    """And where no request of that kind was recorded, that is said."""
    with recording(OpenAIServer()):
        ask()
    (name,) = files()
    with lacking() as provider, openai.OpenAI() as client:
        with pytest.raises(openai.NotFoundError):
            ask(temperature=0.2)
        with pytest.raises(openai.NotFoundError):
            client.responses.create(model="m", input="x")

    start, end = "no recording of this call in cassettes. ", " Record it: provider=record"
    assert provider.missed == [
        f"{start}Nearest: {name}, which differs at temperature: nothing there, 0.2 here.{end}",
        f"{start}There is none for POST /responses.{end}",
    ]
    with pytest.raises(EvaluationError) as ended:
        provider.refuse_missing()
    assert str(ended.value) == f"provider=replay: {provider.missed[0]} (2 calls had none)"


@pytest.mark.parametrize(
    ("slots", "asked", "why"),
    [
        (
            [place(repeat=n) for n in range(3)],
            place(repeat=3),
            "recorded with 3 repeats, this is the 4th",
        ),
        ([place()], place(repeat=1), "recorded with 1 repeat, this is the 2nd"),
        ([None, None], None, "recorded 2 times, this is the 3rd"),
    ],
)
def test_a_repeat_that_was_never_recorded_is_a_miss(slots, asked, why):
    """A reply that is played twice would pass for two."""
    with recording(numbered()):
        for slot in slots:
            ask(slot)
    with lacking() as provider:
        for slot in slots:
            ask(slot)
        with pytest.raises(openai.NotFoundError):
            ask(asked)

    assert provider.missed == [
        f"no recording of this call in cassettes: {why}. Record it: provider=record"
    ]


def test_a_call_that_is_made_more_often_than_it_was_recorded_is_a_miss():
    """In one run of one case."""
    with recording(numbered()):
        ask(place())
    with lacking() as provider, collect(place()), openai.OpenAI() as client:
        client.chat.completions.create(**WHERE)
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(**WHERE)

    assert provider.missed == [
        "no recording of this call in cassettes: recorded 1 time for one run of a case, this is"
        " the 2nd. Record it: provider=record"
    ]


def test_an_upload_cannot_be_replayed():
    """And that is said where it is asked."""
    with recording(OpenAIServer()):
        ask()
    with lacking() as provider, openai.OpenAI() as client, pytest.raises(openai.NotFoundError):
        client.files.create(file=b"{}", purpose="evals")

    assert provider.missed == [
        "no recording of this call: its body is not JSON, and such calls are not recorded.\n"
        "  Take it out of what is evaluated, or evaluate with a provider that asks a model"
    ]


def test_a_replay_never_goes_live():
    """Also not for a client with an address of its own."""
    with recording(OpenAIServer()):
        ask()
    with (
        OpenAIServer() as live,
        lacking(),
        collect() as calls,
        openai.OpenAI(base_url=live.base_url, api_key="any") as client,
        pytest.raises(RuntimeError) as caught,
    ):
        client.chat.completions.create(**WHERE)
    host = live.base_url.removesuffix("/v1")

    assert live.requests == []
    assert str(caught.value) == (
        f"provider=replay sends nothing to {host}, the address that the agent's client was given.\n"
        "  Let the client take its address from OPENAI_BASE_URL, and record it: provider=record"
    )
    assert [call.failure for call in calls] == ["missing"]


def test_threads_and_child_processes_are_recorded_and_replayed():
    """What they send has no mark, and is played in the order in which it came."""
    code = (
        "import openai; reply = openai.OpenAI().chat.completions.create(model='gpt-4o-mini',"
        " messages=[{'role': 'user', 'content': 'Where is it?'}]);"
        " print(reply.choices[0].message.content)"
    )

    def child() -> str:
        command = [sys.executable, "-c", code]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def thread() -> str:
        said: list[str] = []
        worker = threading.Thread(target=lambda: said.append(ask()[0]))
        worker.start()
        worker.join()
        return said[0]

    with recording(numbered()):
        said = [child(), thread(), child()]
    with answered(Replay()):
        again = [child(), thread(), child()]

    assert said == again == ["answer 0", "answer 1", "answer 2"]


def test_two_processes_record_into_one_folder():
    """None loses what the other has written."""
    code = (
        "import asyncio, sys, openai\n"
        "from vcmp.calls import Slot, collect\n"
        "from vcmp.evaluation import Interrupt\n"
        "from vcmp.provider import Record, meter\n"
        "from vcmp.types import Limits\n"
        "async def ask(client, n):\n"
        "    with collect(Slot(variant=sys.argv[2], case_id=str(n), repeat=0)):\n"
        "        await client.chat.completions.create(model='m',"
        " messages=[{'role': 'user', 'content': str(n % 4)}])\n"
        "async def run():\n"
        "    async with openai.AsyncOpenAI() as client:\n"
        "        await asyncio.gather(*(ask(client, n) for n in range(32)))\n"
        "with Record(upstream=sys.argv[1]), meter(Limits(), Interrupt()):\n"
        "    asyncio.run(run())\n"
    )
    with numbered() as server:
        root = str(Path(__file__).parents[2])
        children = [
            subprocess.Popen(
                [sys.executable, "-c", code, server.base_url, name],
                env={**os.environ, "PYTHONPATH": root},
            )
            for name in ("one", "two")
        ]
        assert [child.wait(60) for child in children] == [0, 0]

    found = documents()
    assert len(found) == 4
    assert [len(document["replies"]) for document in found] == [16] * 4
    texts = {r["content"]["choices"][0]["message"]["content"] for d in found for r in d["replies"]}
    assert len(texts) == 64


def test_many_at_once_get_their_own_replies():
    """As wide as the loop runs."""

    async def run() -> list[str]:
        async def one(number: int) -> str:
            with collect(place(str(number % 32), number // 32)):
                message = {"role": "user", "content": str(number % 4)}
                reply = await client.chat.completions.create(model="m", messages=[message])
                return str(reply.choices[0].message.content)

        async with openai.AsyncOpenAI() as client:
            return list(await asyncio.gather(*map(one, range(64))))

    with recording(numbered(delay_s=0.01)):
        said = asyncio.run(run())
    with answered(Replay()):
        assert asyncio.run(run()) == said


def test_what_other_code_sends_from_a_case_is_told_apart_too():
    """MLflow's judges ask by `requests`; two cases that ask the same must not swap replies."""

    def post(slot: Slot) -> str:
        with collect(slot):
            request = urllib.request.Request(
                f"{os.environ['OPENAI_API_BASE']}/chat/completions",
                json.dumps(WHERE).encode(),
                {"Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request) as reply:
                return str(json.load(reply)["choices"][0]["message"]["content"])

    slots = [place("a"), place("b"), place("a", 1)]
    with recording(numbered()):
        said = {slot: post(slot) for slot in slots}
    with answered(Replay()):
        again = {slot: post(slot) for slot in reversed(slots)}

    assert again == said


def test_the_cache_serves_what_was_asked_before_repeat_by_repeat():
    """A second run pays only for what is new."""
    with numbered() as server:
        provider = Compatible(server.base_url, cache=True)
        with answered(provider):
            said = [ask(place(repeat=n)) for n in range(2)]
        with answered(provider):
            again = [ask(place(repeat=n)) for n in range(3)]

    assert [text for text, _ in again] == ["answer 0", "answer 1", "answer 2"]
    assert [call.source for _, call in said] == ["live", "live"]
    assert [call.source for _, call in again] == ["cached", "cached", "live"]
    assert [call.cost_usd for _, call in again[:2]] == [call.cost_usd for _, call in said]
    assert len(server.requests) == 3
    assert files("outputs/.cassettes")
    assert provider.answerer.reuses


def test_what_is_served_from_the_cache_is_not_charged_to_the_budget():
    """No money is spent on it now."""
    brake = Interrupt()
    with numbered() as server:
        provider = Compatible(server.base_url, cache=True)
        with answered(provider):
            ask(place())
        with provider, meter(Limits(), brake, Budget(calls=1)):
            assert [ask(place())[1].source for _ in range(3)] == ["cached"] * 3
            assert ask(place(repeat=1))[1].source == "live"
            with pytest.raises(StoppedError):
                ask(place(repeat=2))

    assert brake.reason.startswith("budget: ")
    assert len(server.requests) == 2


def test_a_miss_ends_the_evaluation():
    """What is not there will not come."""
    with recording(OpenAIServer()):
        ask()
    brake = Interrupt()
    provider = Replay()
    with (
        pytest.raises(EvaluationError),
        provider,
        meter(Limits(), brake),
        pytest.raises(openai.NotFoundError),
    ):
        ask(temperature=0.2)

    assert brake.reason.startswith("provider: NotFoundError: ")
    assert provider.missed[0] in brake.reason


def test_versions_that_run_side_by_side_are_not_answered_with_one_reply():
    """Whether they were would hang on which is first; a later version may be."""
    with numbered() as server:
        provider = Compatible(server.base_url, cache=True)
        with answered(provider):
            said = [ask(place(variant=name))[0] for name in ("one", "two")]
        with answered(provider):
            again = [ask(place(variant=name)) for name in ("one", "two", "three")]

    assert [text for text, _ in again] == [*said, "answer 0"]
    assert [call.source for _, call in again] == ["cached"] * 3


def test_the_cache_answers_for_the_address_that_was_asked():
    """Another server, be it only at another port, is another model."""

    def asked_of(url: str) -> tuple[str, str]:
        with answered(Compatible(url, cache=True)):
            text, call = ask(place())
        return text, call.source

    with OpenAIServer(lambda *_: "A says.") as one, OpenAIServer(lambda *_: "B says.") as other:
        urls = [one.base_url, other.base_url, one.base_url.replace("//", "//me:secret@") + "/"]
        said = [asked_of(url) for url in urls]
        with answered(OpenAI(base_url=one.base_url, cache=True)):
            shared = ask(place())[1].source
        lower = asked_of(one.base_url.replace("127.0.0.1", "localhost"))

    assert said == [("A says.", "live"), ("B says.", "live"), ("A says.", "cached")]
    assert (shared, lower) == ("cached", ("A says.", "live"))
    kept = {document["request"]["upstream"] for document in documents("outputs/.cassettes")}
    assert {one.base_url, other.base_url} < kept
    assert not [url for url in kept if "secret" in url]


def test_the_cache_keeps_no_errors():
    """A failure is no answer, and the next run has another chance."""
    fault = ("status", 400, {}, json.dumps({"error": {"message": "no"}}))
    with numbered(faults=lambda number, _: fault if number == 0 else None) as server:
        provider = Compatible(server.base_url, cache=True)
        with answered(provider), pytest.raises(openai.BadRequestError):
            ask(place())
        with answered(provider):
            assert ask(place())[1].source == "live"
            assert ask(place())[1].source == "cached"


def test_without_cache_nothing_is_kept():
    """The default asks the API itself."""
    with OpenAIServer() as server, answered(Compatible(server.base_url)):
        assert os.environ["OPENAI_BASE_URL"] == server.base_url
        ask(place())

    assert not Path("outputs").exists()


def test_recordings_of_the_demo_stay_marked(tmp_path):
    """They must not pass for a model's, now or later."""
    faq = tmp_path / "faq.yaml"
    faq.write_text("- {id: x, keywords: [it], facts: [It is here.]}", encoding="utf-8")
    with Scripted(str(faq)):
        provider = Record(upstream=os.environ["OPENAI_BASE_URL"])
        with answered(provider):
            assert provider.answerer.scripted
            assert provider.answerer.description == (
                "scripted demo, no language model was called; recorded in cassettes"
            )
            ask(place())
    with answered(Replay()) as replay:
        assert replay.answerer.scripted
        assert replay.answerer.description == (
            "recordings of the scripted demo in cassettes, no language model was called now"
        )


def test_record_says_who_answers(monkeypatch):
    """And asks where the environment says."""
    assert Record().answerer.description == (
        "OpenAI-compatible API at api.openai.com; recorded in cassettes"
    )
    monkeypatch.setenv("OPENAI_BASE_URL", "https://gateway.example/v1")
    assert Record().upstream == "https://gateway.example/v1"


def test_a_child_that_evaluates_asks_the_api_and_not_its_parents_server():
    """Another revision is evaluated by a process with a provider of its own."""
    with OpenAIServer() as server, answered(Record(upstream=server.base_url)):
        assert os.environ["OPENAI_BASE_URL"] != server.base_url
        assert Record().upstream == server.base_url
        assert OpenAI().base_url == server.base_url


def test_record_needs_a_key_for_openai(monkeypatch):
    """Before the first call; a server of one's own may need none."""
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ConfigError) as caught, Record():
        pass
    assert str(caught.value) == (
        "OPENAI_API_KEY is not set, and provider=record needs it.\n"
        "  Set it, or try without a key: provider=scripted"
    )
    with recording(OpenAIServer()):
        ask()
    with pytest.raises(ConfigError) as caught:
        Record(upstream="localhost:8000")
    assert str(caught.value) == (
        "provider=record: upstream 'localhost:8000' is not an address.\n"
        "  Write it in full: provider.upstream=http://localhost:8000/v1"
    )


def test_a_replay_needs_recordings():
    """And whole ones."""
    with pytest.raises(ConfigError) as caught, Replay("taped"):
        pass
    assert str(caught.value) == (
        "provider=replay: there is no recording in 'taped'.\n"
        "  Record it first: provider=record provider.cassette=taped"
    )

    Path("taped").mkdir()
    Path("taped/a.json").write_text('{"schema": 2}', encoding="utf-8")
    with pytest.raises(ResultsError) as damaged, Replay("taped"):
        pass
    assert str(damaged.value) == (
        "taped/a.json: is no recording (its layout is 2, this vcmp reads 1).\n"
        "  Restore it, or delete it and record it again: provider=record"
    )


def test_a_link_in_a_committed_cassette_is_not_written_through(tmp_path: Path):
    with recording(numbered()):
        ask()
    (entry,) = Path("cassettes").glob("*.json")
    outside = tmp_path / "outside"
    outside.write_text("mine", "utf-8")
    entry.unlink()
    entry.with_name(f"{entry.name}.new").symlink_to(outside)

    with recording(numbered()):
        ask()

    assert outside.read_text("utf-8") == "mine"
    assert [path.name for path in Path("cassettes").iterdir()] == [entry.name]
