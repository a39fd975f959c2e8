"""The rules: each on the smallest output that shows what it says."""

import json
import re
from difflib import SequenceMatcher
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vcmp.errors import ConfigError
from vcmp.scorers import (
    Concise,
    Contains,
    Empathy,
    ExactMatch,
    FuzzyMatch,
    JsonSchema,
    Matches,
    MaxLength,
    Mentions,
    Overlap,
    Phrases,
    Polite,
    Refusal,
    texts,
)
from vcmp.types import Case

TEXTS = st.text(max_size=60)
WORDY = st.lists(st.sampled_from(list("abcde")), min_size=3, max_size=12).map(" ".join)


def case(**expectations: Any) -> Case:
    return Case(id="c1", inputs={"question": "Where is it?"}, expectations=expectations)


def value(scorer: Any, output: Any, **expectations: Any) -> float:
    score = scorer(case(**expectations), output).value
    assert isinstance(score, float)
    return score


def test_contains_looks_through_case_quotes_and_line_breaks():
    """Models write typographic quotes and break lines; the phrase is the same."""
    assert value(Contains("I'm sorry"), "Oh, I’M\n sorry!") == 1
    assert value(Contains("I'm sorry", ignore_case=False), "I'M SORRY") == 0


def test_contains_can_forbid():
    score = Contains("as an AI", wanted=False)(case(), "As an AI I know")

    assert (score.value, score.rationale) == (0, "has 'as an AI'")


def test_an_output_that_is_no_text_is_read_as_json():
    assert value(Contains('"status": "sent"'), {"status": "sent"}) == 1


def test_mentions_is_the_share_of_the_phrases():
    score = Mentions()(case(expected_facts=["tracking link", "e-mail"]), "See the Tracking link.")

    assert (score.value, score.rationale) == (0.5, "missing: 'e-mail'")


def test_one_phrase_is_not_read_letter_by_letter():
    assert value(Mentions("fact"), "abc", fact="cba") == 0


@pytest.mark.parametrize("expectations", [{}, {"expected_facts": []}, {"expected_facts": None}])
def test_a_case_without_the_expectation_cannot_be_scored(expectations):
    """Nothing expected is neither met nor missed."""
    with pytest.raises(LookupError) as caught:
        Mentions()(case(other=1, **expectations), "text")

    known = ", ".join(map(repr, ["other", *expectations]))
    assert str(caught.value) == f"case 'c1' has no expectation 'expected_facts'; it has {known}"


def test_a_case_without_any_expectation_says_none():
    with pytest.raises(LookupError, match=r"it has none$"):
        Mentions()(case(), "text")


def test_an_empty_phrase_cannot_be_mentioned():
    with pytest.raises(ValueError, match=r"^case 'c1': 'expected_facts' holds an empty phrase$"):
        Mentions()(case(expected_facts=["ok", " "]), "text")


@given(TEXTS, TEXTS, st.lists(st.text("abc ", min_size=1).filter(str.strip), min_size=1))
def test_saying_more_never_mentions_less(text, more, facts):
    before = value(Mentions(), text, expected_facts=facts)
    after = value(Mentions(), f"{text} {more}", expected_facts=facts)

    assert 0 <= before <= after <= 1


def test_matches_searches_every_line():
    assert value(Matches(r"^Order \d+$"), "Hello\nOrder 12\nBye") == 1
    assert value(Matches("order", ignore_case=True), "ORDER") == 1
    assert Matches("order")(case(), "x").rationale == "lacks a match of 'order'"


def test_exact_match_forgives_white_space_and_more_when_asked():
    assert value(ExactMatch(), " Yes,\nsir. ", expected_response="Yes, sir.") == 1
    assert value(ExactMatch(), "yes sir", expected_response="Yes, sir.") == 0
    loose = ExactMatch(ignore_case=True, ignore_punctuation=True)
    assert value(loose, "yes sir", expected_response="Yes, sir.") == 1


def test_exact_match_compares_structures_as_structures():
    assert value(ExactMatch(), {"b": 1, "a": [2]}, expected_response={"a": [2], "b": 1}) == 1


def test_fuzzy_match_forgives_a_slip_of_the_pen_and_the_order():
    slip = value(FuzzyMatch(), "your refund arives soon", expected_response="Your refund arrives")
    other = value(FuzzyMatch(), "we ship on Mondays", expected_response="Your refund arrives")

    assert slip > 0.7 > 0.2 > other
    assert value(FuzzyMatch(), "soon refund", expected_response="refund soon") == 1


def test_overlap_is_rouge():
    """The example of Lin (2004), section 3: the police killed the gunman."""
    reference = "police killed the gunman"
    assert value(Overlap(n="l"), "police kill the gunman", expected_response=reference) == 0.75
    assert value(Overlap(n="l"), "the gunman kill police", expected_response=reference) == 0.5
    assert value(Overlap(n=2), "the gunman kill police", expected_response=reference) == (
        pytest.approx(1 / 3)
    )
    assert value(Overlap(n=1), "the the the", expected_response="the cat") == pytest.approx(2 / 5)


def test_overlap_needs_as_many_words_as_a_run_has():
    with pytest.raises(ValueError, match=r"^case 'c1': 'expected_response' has fewer words than 2"):
        Overlap(n=2)(case(expected_response="Yes."), "Yes.")


@given(WORDY, WORDY, st.sampled_from([Overlap(), Overlap(n=2), Overlap(n="l"), FuzzyMatch()]))
def test_likeness_is_symmetric_bounded_and_full_for_the_same(one, other, scorer):
    there = value(scorer, one, expected_response=other)

    assert 0 <= there <= 1
    assert there == value(scorer, other, expected_response=one)
    assert value(scorer, one, expected_response=one) == 1


@given(WORDY, WORDY)
def test_the_longest_common_subsequence_is_that_of_the_textbook(one, other):
    """The bit-parallel method against the table of Wagner and Fischer."""
    a, b = one.split(), other.split()
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            longer = max(table[i][j + 1], table[i + 1][j])
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else longer

    expected = 2 * table[-1][-1] / (len(a) + len(b))
    assert value(Overlap(n="l"), other, expected_response=one) == expected
    assert expected >= SequenceMatcher(None, a, b, autojunk=False).ratio() - 1e-12


SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}


@pytest.mark.parametrize(
    ("output", "score", "rationale"),
    [
        ('{"n": 1}', 1, ""),
        ({"n": 1}, 1, ""),
        ('{"n": "1"}', 0, "$.n: '1' is not of type 'integer'"),
        ("{}", 0, "$: 'n' is a required property"),
        ("no", 0, "not JSON: Expecting value: line 1 column 1 (char 0)"),
        ('{"n": NaN}', 0, "not JSON: NaN is not a JSON number"),
    ],
)
def test_json_schema_says_where_the_output_departs(output, score, rationale):
    judged = JsonSchema(SCHEMA)(case(), output)

    assert (judged.value, judged.rationale) == (score, rationale)


def test_deeply_nested_json_is_a_bad_answer_and_no_crash():
    assert value(JsonSchema(SCHEMA), "[" * 200_000) == 0


def test_max_length_names_every_limit_passed():
    score = MaxLength(chars=5, words=1)(case(), "two words")

    assert (score.value, score.rationale) == (0, "9 characters, 5 allowed; 2 words, 1 allowed")
    assert value(MaxLength(words=2), "two words") == 1


def test_concise_falls_linearly():
    scorer = Concise(words=10, limit=20)

    assert [value(scorer, "w " * n) for n in (1, 10, 15, 20, 99)] == [1, 1, 0.5, 0, 0]


def test_saying_nothing_is_neither_concise_nor_helpful():
    """An empty answer must not collect points for what it leaves out."""
    assert value(Concise(words=10, limit=20), "") == 0
    assert value(Refusal(), " ") == value(Refusal(wanted=True), None) == 0


@given(TEXTS)
def test_rules_that_look_at_the_output_alone_stay_in_bounds(text):
    for scorer in (
        Concise(3, 9),
        Empathy(),
        Polite(),
        Refusal(),
        MaxLength(chars=9),
        Contains("a"),
    ):
        assert 0 <= value(scorer, text) <= 1


def test_phrases_give_a_share_until_there_are_enough():
    scorer = Phrases(["sorry", "thank you"], enough=2)

    assert [value(scorer, text) for text in ("", "sorry", "Sorry. Thank you.")] == [0, 0.5, 1]
    assert scorer(case(), "sorry, sorry").rationale == "found: 'sorry'"


def test_tone_tells_a_warm_answer_from_a_dry_one():
    warm = "I’m so sorry to hear that. I understand how stressful it is. Please let me know."
    dry = "Go to settings and choose reset."

    assert (value(Empathy(), warm), value(Empathy(), dry)) == (1, 0)
    assert (value(Polite(), warm), value(Polite(), dry)) == (1, 0)


def test_phrases_of_the_tone_come_from_config():
    assert value(Empathy(["tut mir leid"]), "Das tut mir leid.") == 1


@pytest.mark.parametrize(
    ("text", "refuses"),
    [
        ("I'm sorry, but I can’t help with that.", True),
        ("I am unable to assist you.", True),
        ("As an AI language model I have no orders.", True),
        ("You can't miss it: open Orders. I'm sorry for the wait.", False),
        ("We cannot refund after 30 days, but you can exchange it.", False),
    ],
)
def test_a_refusal_is_told_from_a_policy(text, refuses):
    assert value(Refusal(), text) == (not refuses)
    assert value(Refusal(wanted=True), text) == refuses


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: Contains(" "),
            "Contains: text is empty, and an empty text occurs in every output.",
        ),
        (
            lambda: Matches("a("),
            "Matches: pattern 'a(' is not a regular expression: "
            "missing ), unterminated subpattern at position 1.",
        ),
        (
            lambda: JsonSchema({"type": "text"}),
            "JsonSchema: schema is not a JSON Schema: $.type: "
            "'text' is not valid under any of the given schemas.",
        ),
        (
            lambda: MaxLength(),
            "MaxLength: chars=None, words=None is no limit. Give at least one of them, 1 or more.",
        ),
        (
            lambda: Concise(words=20, limit=20),
            "Concise: words=20, limit=20. words must be 1 or more, and limit more than words.",
        ),
        (
            lambda: Overlap(n="L"),
            "Overlap: n='L' is neither a number of words nor 'l'.",
        ),
        (
            lambda: Polite("please"),
            "Polite: any_of is 'please'. Give a list of texts, none of them empty.",
        ),
        (
            lambda: Phrases(["a", True]),  # type: ignore[list-item]
            "Phrases: any_of is ['a', True]. Give a list of texts, none of them empty.",
        ),
        (
            lambda: Phrases(["a"], enough=2),
            "Phrases: enough=2 is not between 1 and the 1 phrases.",
        ),
        (
            lambda: Refusal(phrases=[]),
            "Refusal: phrases is []. Give a list of texts, none of them empty.",
        ),
    ],
)
def test_what_cannot_work_is_refused_before_anything_runs(build, message):
    with pytest.raises(ConfigError) as caught:
        build()

    assert str(caught.value) == message


def test_json_schema_takes_what_a_config_holds():
    """Tuples and mappings of other kinds stand for JSON's arrays and objects."""
    from types import MappingProxyType

    schema = MappingProxyType({"enum": ("a", "b")})

    assert value(JsonSchema(schema), json.dumps("b")) == 1


@given(st.text(alphabet="ab '’é \n\u00a0ﬁA", max_size=60), st.integers(1, 6))
def test_a_long_text_is_read_in_pieces_as_if_it_were_read_at_once(text, piece):
    """Neither phrases nor words know where a piece ends."""
    spaced = re.sub(r"(\S{3})(?=\S)", r"\1 ", text)  # a word longer than two pieces may be cut
    phrases = ["a", "b a", "fi a", "'b"]
    whole = texts.fold(spaced), texts.among(phrases, spaced), len(texts.words(spaced))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(texts, "PIECE", piece + 2)
        assert texts.fold(spaced) == whole[0]
        assert texts.among(phrases, spaced) == whole[1]
        assert texts.count_words(spaced) == whole[2]
