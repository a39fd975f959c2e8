"""Any callable as a scorer, anything sensible as a score, and the card that tells them apart."""

import asyncio
import functools
import json
import math
import subprocess
import sys
import textwrap
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import vcmp
from vcmp.errors import ConfigError
from vcmp.judges import Guidelines, RelevanceToQuery
from vcmp.scorers import Contains, Empathy, JsonSchema, Matches, adapt, card_of, coerce
from vcmp.types import Case, Score

ROOT = Path(vcmp.__file__).parents[1]
CASE = Case(id="c1", inputs={"question": "q"}, expectations={"answer": "a"})


def feedback(value: Any, rationale: str | None = None, error: Any = None, name: str = "") -> Any:
    return SimpleNamespace(value=value, rationale=rationale, error=error, name=name)


@pytest.mark.parametrize(
    ("given", "score"),
    [
        (True, Score(value=1.0)),
        (0, Score(value=0.0)),
        (Fraction(1, 2), Score(value=0.5)),
        ("Yes ", Score(value=1.0)),
        ("no", Score(value=0.0)),
        (None, Score(value=None, error="the scorer gave nothing")),
        (Score(value=None), Score(value=None, error="the scorer gave no value")),
        (Score(value=0.5, rationale="r"), Score(value=0.5, rationale="r")),
        (feedback("yes", "kind"), Score(value=1.0, rationale="kind")),
        (feedback(None), Score(value=None, error="the scorer gave no value")),
        (feedback(1, error=ValueError("down")), Score(value=None, error="down")),
        (
            feedback(None, error=SimpleNamespace(error_message=None, error_code="DOWN")),
            Score(value=None, error="DOWN"),
        ),
        (
            [feedback("yes", "x", name="a"), feedback(0.5, "y", name="b")],
            Score(value=0.75, rationale="a: x\nb: y"),
        ),
        (
            [feedback("yes"), feedback(None, error="down", name="b")],
            Score(value=None, rationale="b: down", error="1 of 2 are unscored"),
        ),
    ],
)
def test_what_a_scorer_gives_becomes_a_score(given, score):
    assert coerce(given) == score


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (1.2, "a score lies between 0 and 1, and this one is 1.2"),
        (math.nan, "a score lies between 0 and 1, and this one is nan"),
        (Score(value=-1), "a score lies between 0 and 1, and this one is -1"),
        ("good", "a score is a number, true or false, yes or no, and not 'good'"),
        ({}, "a score is a number, true or false, yes or no, and not a dict"),
        ([], "the scorer gave an empty list"),
    ],
)
def test_what_is_no_score_is_refused(given, message):
    """Clamping 1.2 to 1 would hide that a scorer counts in percent."""
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the whole text is compared
        coerce(given)

    assert str(caught.value) == message


@given(st.floats() | st.integers() | st.booleans() | st.text() | st.none() | st.fractions())
def test_a_score_lies_in_bounds_or_is_none_with_a_reason(anything):
    try:
        score = coerce(anything)
    except ValueError:
        return
    assert score.error if score.value is None else 0 <= score.value <= 1


def same_length(case: Case, output: str) -> bool:
    return len(output) == len(case.inputs["question"])


def by_position(row: Any, text: Any) -> bool:
    return row is CASE and text == "a"


def by_keywords(*, outputs: str, expectations: dict[str, Any]) -> bool:
    return outputs == expectations["answer"]


def shorter(output: str, limit: int) -> bool:
    return len(output) < limit


def autoevals_like(output: str, expected: str | None = None, **more: Any) -> float:
    return 1.0 if output == "a" and expected is None and not more else 0.0


def everything(**given: Any) -> bool:
    return sorted(given) == ["expectations", "inputs", "outputs"]


@pytest.mark.parametrize(
    "scorer",
    [
        same_length,
        by_position,
        by_keywords,
        functools.partial(shorter, limit=3),
        autoevals_like,
        everything,
        lambda output, expectations: output == expectations["answer"],
        lambda inputs, outputs: inputs["question"] == "q" and outputs == "a",
        lambda *arguments: arguments == (CASE, "a"),
        lambda text: text == "a",
        str.isalpha,
        len,
        Contains("A"),
    ],
)
def test_any_callable_is_a_scorer(scorer):
    assert adapt(scorer)(CASE, "a") == Score(value=1.0)


def test_an_async_scorer_stays_one():
    """The loop awaits async scorers and runs the others in threads."""

    @dataclass(frozen=True)
    class Later:
        async def __call__(self, case: Case, output: str) -> bool:
            return case is CASE and output == "a"

    adapted = adapt(Later())

    assert asyncio.iscoroutinefunction(adapted)
    assert asyncio.run(adapted(CASE, "a")) == Score(value=1.0)


def test_a_function_that_returns_an_awaitable_is_awaited():
    async def later() -> str:
        return "yes"

    async def both() -> Score:
        return await adapt(lambda output: later())(CASE, "a")

    assert asyncio.run(both()) == Score(value=1.0)


def test_adapting_twice_changes_nothing():
    once = adapt(shorter_than_three := functools.partial(shorter, limit=3))

    assert adapt(once) is once
    assert card_of(once) == card_of(shorter_than_three)


def test_what_a_scorer_raises_comes_through():
    """The loop makes the case unscored; nothing here may turn it into a number."""
    with pytest.raises(ZeroDivisionError):
        adapt(lambda output: 1 / 0)(CASE, "a")


@pytest.mark.parametrize(
    ("scorer", "message"),
    [
        (
            shorter_of_three := lambda a, b, c: True,
            f"{shorter_of_three.__qualname__} takes (a, b, c). A scorer takes (case, output), "
            "(output), or some of inputs, outputs and expectations.",
        ),
        (
            lambda: True,
            "<lambda> takes (). A scorer takes (case, output), (output), or some of inputs, "
            "outputs and expectations.",
        ),
        (
            max,
            "max does not say what it takes. Wrap it in a function of (case, output).",
        ),
    ],
)
def test_a_callable_that_needs_more_is_refused(scorer, message):
    with pytest.raises(ConfigError) as caught:
        adapt(scorer)

    assert str(caught.value) == message


def test_a_card_depends_on_class_and_parameters_alone():
    assert card_of(Contains("a")) == card_of(Contains("a"))
    assert card_of(Empathy(["a"])) == card_of(Empathy(("a",)))
    cards = [Contains("a"), Contains("b"), Matches("a"), Empathy(), Empathy(enough=2)]
    cards += [same_length, shorter, functools.partial(shorter, limit=3)]
    cards += [functools.partial(shorter, limit=4), JsonSchema({"type": "object"})]

    assert len({card_of(scorer).digest for scorer in cards}) == len(cards)


def test_a_card_knows_what_a_function_closes_over():
    def at_most(limit: int) -> Any:
        return lambda output: len(output) <= limit

    assert card_of(at_most(1)) == card_of(at_most(1)) != card_of(at_most(2))


def test_an_object_of_the_project_is_told_by_its_public_values():
    class Scorer:
        def __init__(self, limit: int) -> None:
            self.limit, self.client, self._seen = limit, object(), [object()]

        def __call__(self, output: str) -> bool:
            return len(output) < self.limit

    assert card_of(Scorer(1)) == card_of(Scorer(1)) != card_of(Scorer(2))


def test_a_judge_has_its_model_on_the_card():
    relevance = RelevanceToQuery(model="m-1")

    assert (card_of(relevance).judge, card_of(relevance).model) == (True, "m-1")
    assert card_of(relevance) != card_of(replace(relevance, model="m-2"))
    assert card_of(Guidelines(["a"])) != card_of(Guidelines(["a", "b"]))
    assert (card_of(Empathy()).judge, card_of(Empathy()).model) == (False, "")


def test_the_prompt_of_a_judge_is_on_its_card(monkeypatch):
    """Scores by another prompt are scores on another yardstick."""
    before = card_of(Guidelines(["a"]))
    monkeypatch.setattr("vcmp.judges.prompts._SYSTEM", "Say yes. {task} {fence} {reply}")

    assert card_of(Guidelines(["a"])) != before


MODULE = """
import re

WORDS = frozenset({"one", "two", "three"})
PATTERN = re.compile("a+")

def helper(text):
    return {helper}

class Base:
    def __call__(self, case, output):
        return helper(output) and bool(PATTERN.search(output)) and output in WORDS

class Scorer(Base):
    def __init__(self, options=frozenset({"a", "b", "c", "d"})):
        self.options = options
"""


def digest_in_another_process(folder: Any, **parts: str) -> str:
    package = folder / "shop"
    package.mkdir(exist_ok=True)
    (package / "scorers.py").write_text(MODULE.replace("{helper}", parts.get("helper", "True")))
    program = """
    import json
    from shop.scorers import Scorer
    from vcmp.judges import Guidelines
    from vcmp.scorers import Empathy, card_of
    print(json.dumps([card_of(s).digest for s in (Scorer(), Guidelines(["a"]), Empathy())]))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env={"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return str(json.loads(done.stdout))


def test_cards_are_the_same_in_every_process_until_a_helper_changes(tmp_path):
    """Hash seeds and addresses differ between processes; a helper is part of the scorer."""
    first = digest_in_another_process(tmp_path)

    assert first == digest_in_another_process(tmp_path)
    assert first != digest_in_another_process(tmp_path, helper="False")
