"""What is said of a module from its text agrees with what its import would show."""

import inspect
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vcmp import sources
from vcmp.targets import locate

TEXT = """
from dataclasses import dataclass

LIMIT = 3

def plain(question, *rest, tone: str = "warm", n: int, **more): ...

class Agent:
    def __init__(self, prompt: str, temperature: float = 0.3): ...

class Child(Agent): ...

@dataclass
class Data:
    prompt: str
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> sources.Source:
    (tmp_path / "sample_source.py").write_text(TEXT, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    found = sources.read("sample_source", tmp_path)
    assert found
    return found


def test_signatures_are_read_from_the_text(source: sources.Source):
    plain, agent = source.signature("plain"), source.signature("Agent")

    assert plain
    assert list(plain.parameters) == ["question", "rest", "tone", "n", "more"]
    assert plain.parameters["n"].annotation is int
    assert plain.parameters["n"].default is inspect.Parameter.empty
    assert plain.parameters["tone"].default is not inspect.Parameter.empty
    assert agent
    assert list(agent.parameters) == ["prompt", "temperature"]


@pytest.mark.parametrize("name", ["Child", "Data", "nothing"])
def test_what_a_base_or_a_decorator_decides_is_left_to_the_import(
    source: sources.Source, name: str
):
    assert source.signature(name) is None


def test_names_are_those_at_the_top(source: sources.Source):
    assert source.names == {"dataclass", "LIMIT", "plain", "Agent", "Child", "Data"}


@pytest.mark.parametrize(
    "text", ["from x import *", "def __getattr__(name): ...", "if 1:\n    a = 1"]
)
def test_names_are_unknown_where_the_text_does_not_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
):
    (tmp_path / "hidden_source.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)

    found = sources.read("hidden_source", tmp_path)

    assert found
    assert found.names is None


@pytest.mark.parametrize("name", ["agents.support.SupportAgent", "agents.plain.answer"])
def test_the_sample_agents_are_read_as_they_are(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(ROOT)
    module, _, attribute = name.rpartition(".")

    source = sources.read(module, ROOT)

    assert source
    signature = source.signature(attribute)
    assert signature
    assert list(signature.parameters) == list(inspect.signature(locate(name, "")).parameters)


def test_other_peoples_modules_are_not_read():
    assert sources.read("json.decoder", ROOT) is None
    assert sources.read("no.such.module", ROOT) is None
