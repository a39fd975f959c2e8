"""Datasets: the formats agree, and every row that cannot be used is told with its line."""

import csv
import io
import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pyarrow
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from vcmp.datasets import build, load
from vcmp.errors import DatasetError
from vcmp.types import Case, Dataset

GOOD = '{"id": "a", "inputs": {"question": "Where is it?"}}'


@pytest.fixture(autouse=True)
def _in_a_project(tmp_path, monkeypatch):
    """Messages name paths as the user gave them, so tests give relative ones."""
    monkeypatch.chdir(tmp_path)


def written(content: str | bytes, name: str = "x.jsonl") -> Path:
    path = Path(name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(content: str | bytes, name: str = "x.jsonl", **options) -> str:
    with pytest.raises(DatasetError) as caught:
        load(written(content, name), **options)
    return str(caught.value)


# What a case holds


def test_a_line_becomes_a_case():
    row = {
        "id": "track-package",
        "inputs": {"question": "Wo ist mein Päckchen? 📦", "limit": 3, "price": 0.1},
        "expectations": {"facts": ["two days", None, True]},
        "cluster": "tracking",
        "tags": ["shipping", "guide"],
    }

    [case] = load(written(json.dumps(row, ensure_ascii=False))).cases

    assert case == Case(
        id="track-package",
        inputs=row["inputs"],
        expectations=row["expectations"],
        cluster="tracking",
        tags=("shipping", "guide"),
    )
    assert list(case.inputs) == ["question", "limit", "price"]


def test_only_inputs_are_required_and_null_is_absent():
    [case] = load(
        written('{"inputs": {"q": "?"}, "id": null, "expectations": null, "tags": null}')
    ).cases

    assert (case.expectations, case.cluster, case.tags) == ({}, "", ())
    assert len(case.id) == 12


def test_an_id_from_the_content_survives_what_happens_to_other_lines():
    """Results of two days are joined on it, though a line was inserted in between."""
    one = load(written('{"inputs": {"q": "b"}}')).cases[0]
    two = load(written('{"inputs": {"q": "a"}}\n\n{"inputs": {"q": "b"}, "tags": ["new"]}')).cases[
        1
    ]

    assert one.id == two.id


def test_integer_ids_and_clusters_are_kept_as_text():
    [case] = load(written('{"id": 7, "cluster": 0, "inputs": {"q": 1}}')).cases

    assert (case.id, case.cluster) == ("7", "0")


def test_the_name_is_the_file_name_unless_given():
    assert load(written(GOOD, "support.jsonl")).name == "support"
    assert load(written(GOOD), name="faq").name == "faq"


def test_limit_keeps_the_first_cases_and_still_checks_the_rest():
    """A typo in line 100 should be found by the first cheap trial, not by the long run."""
    lines = [f'{{"id": "{letter}", "inputs": {{"q": 1}}}}' for letter in "abc"]

    assert [c.id for c in load(written("\n".join(lines)), limit=2).cases] == ["a", "b"]
    assert "line 1" in refusal("\n".join([*lines, lines[0]]), limit=2)


def test_limit_zero_is_refused():
    assert refusal(GOOD, limit=0) == "x.jsonl: limit 0 leaves no cases. Use 1 or more, or null."


# Rows from elsewhere


def test_rows_from_elsewhere_are_held_to_the_same_rules():
    rows = [{"inputs": {"q": 1}, "expectations": {}, "tags": {"topic": "billing"}}]

    dataset = build(enumerate(rows, 1), name="recorded", where="mlflow:recorded")

    assert dataset.cases[0].tags == ("topic:billing",)
    with pytest.raises(DatasetError) as caught:
        build(enumerate([*rows, {"inputs": {}}], 1), name="recorded", where="mlflow:recorded")
    assert str(caught.value) == (
        "mlflow:recorded:2: inputs is {}, not a mapping with at least one input"
    )


def test_no_rows_from_elsewhere():
    with pytest.raises(DatasetError) as caught:
        build([], name="recorded", where="mlflow:recorded")
    assert str(caught.value) == (
        'mlflow:recorded: no cases. Add at least one row: {"inputs": {"question": "…"}}'
    )


# Files that cannot be read


def test_missing_file_names_the_nearest():
    written(GOOD, "support.jsonl")

    with pytest.raises(DatasetError) as caught:
        load(Path("suport.jsonl"))
    assert str(caught.value) == "suport.jsonl: no such file. Did you mean 'support.jsonl'?"


def test_missing_file_without_a_near_name_lists_the_folder():
    written(GOOD, "b.jsonl")
    written("", "a.csv")

    with pytest.raises(DatasetError) as caught:
        load(Path("conversations.json"))
    assert str(caught.value) == "conversations.json: no such file. Its folder has a.csv, b.jsonl."


def test_missing_file_in_a_folder_without_datasets():
    with pytest.raises(DatasetError) as caught:
        load(Path("x.jsonl"))
    assert str(caught.value) == "x.jsonl: no such file. Its folder has no dataset."


def test_missing_folder():
    with pytest.raises(DatasetError) as caught:
        load(Path("data/x.jsonl"))
    assert str(caught.value) == "data/x.jsonl: no such file. There is no folder 'data' either."


@pytest.mark.parametrize(
    ("name", "hint"), [("x.txt", ""), ("x.yml", "Did you mean '.yaml'? "), ("x", "")]
)
def test_unknown_ending_lists_the_known_ones(name, hint):
    assert refusal(GOOD, name) == (
        f"{name}: a dataset cannot have the ending {Path(name).suffix!r}. "
        f"{hint}It can have .csv, .json, .jsonl, .ndjson, .parquet, .yaml."
    )


def test_a_folder_is_not_a_file():
    Path("x.jsonl").mkdir()

    with pytest.raises(DatasetError) as caught:
        load(Path("x.jsonl"))
    assert str(caught.value) == "x.jsonl: no plain file. Name a file of cases."


def test_text_in_another_encoding():
    assert refusal(b'{"inputs": {"q": 1}}\n{"inputs": {"q": "\xe4"}}') == (
        "x.jsonl:2: not UTF-8 (byte 0xe4). Save it as UTF-8."
    )


@pytest.mark.parametrize(
    ("name", "content", "advice"),
    [
        ("x.jsonl", "\n \n", 'Add at least one line: {"inputs": {"question": "…"}}'),
        ("x.json", "[ ]", 'Add at least one case: [{"inputs": {"question": "…"}}]'),
        ("x.json", "", 'Add at least one case: [{"inputs": {"question": "…"}}]'),
        ("x.yaml", "# none\n", 'Add at least one case: - inputs: {question: "…"}'),
        (
            "x.csv",
            "id,question\n",
            "Add a first line with columns, such as id,inputs.question, and lines below it.",
        ),
    ],
)
def test_empty_dataset_shows_what_to_add(name, content, advice):
    assert refusal(content, name) == f"{name}: no cases. {advice}"


def test_empty_parquet_shows_what_to_add():
    parquet.write_table(pyarrow.table({"question": pyarrow.array([], "string")}), "x.parquet")

    with pytest.raises(DatasetError) as caught:
        load(Path("x.parquet"))
    assert str(caught.value) == (
        "x.parquet: no cases. Add at least one row with a column such as inputs.question."
    )


# Rows that cannot be used


def test_a_repeated_id_names_both_lines():
    assert refusal(f"{GOOD}\n\n{GOOD}") == (
        "x.jsonl:3: case id 'a' is used twice (first on line 1); "
        "results are joined on it, so ids must be unique"
    )


def test_repeated_content_without_ids():
    """Otherwise a copied line would count twice in every mean."""
    line = '{"inputs": {"q": "?"}}'

    assert refusal(f"{line}\n{line}") == (
        "x.jsonl:2: the same inputs and expectations as line 1. Give one of them an id."
    )


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"inputs": {"q": 1}', "not JSON at column 20 (expecting ',' delimiter)"),
        ('{"inputs": {"q": NaN}}', "not JSON (NaN is not a number there)"),
        ('{"inputs": {"q": -Infinity}}', "not JSON (-Infinity is not a number there)"),
        ('{"inputs": {"q": 1e999}}', "not JSON (1e999 is too large for a number)"),
        ('{"inputs": {"q": 1, "q": 2}}', "not JSON (key 'q' stands twice in one object)"),
        (f'{{"inputs": {{"q": {"9" * 5000}}}}}', "a number has too many digits"),
        ("[" * 100_000, "nested too deep"),
        (
            '["q"]',
            '[\'q\'] is not a mapping; a line is {"id": …, "inputs": {…}, "expectations": {…}, '
            '"cluster": …, "tags": […]}',
        ),
        ("{}", "inputs is missing"),
        ('{"id": "b", "inputs": null}', "inputs is missing"),
        ('{"inputs": {}}', "inputs is {}, not a mapping with at least one input"),
        ('{"inputs": "Hello"}', "inputs is 'Hello', not a mapping with at least one input"),
        ('{"input": {"q": 1}}', "unknown key 'input'. Did you mean 'inputs'?"),
        (
            '{"inputs": {"q": 1}, "x": 1}',
            "unknown key 'x'. It can have id, inputs, expectations, cluster, tags.",
        ),
        ('{"inputs": {"q": 1}, "expectations": []}', "expectations is [], not a mapping"),
        ('{"inputs": {"q": 1}, "tags": "billing"}', "tags is 'billing', not a list"),
        ('{"inputs": {"q": 1}, "tags": [["x"]]}', "tag ['x'] is not text"),
        ('{"inputs": {"q": 1}, "id": true}', "case id True is not text"),
        ('{"inputs": {"q": 1}, "cluster": 1.5}', "cluster 1.5 is not text"),
        ('{"inputs": {"q": 1}, "id": ""}', "case id '' is empty or has spaces round it"),
        ('{"inputs": {"q": 1}, "id": "a "}', "case id 'a ' is empty or has spaces round it"),
        (
            '{"inputs": {"q": 1}, "id": "a\\u202eb"}',
            "case id 'a\\u202eb' holds the control character '\\u202e'",
        ),
        (
            '{"inputs": {"q": 1}, "id": "a\\nb"}',
            "case id 'a\\nb' holds the control character '\\n'",
        ),
        (
            f'{{"inputs": {{"q": 1}}, "id": "{"a" * 201}"}}',
            f"case id '{'a' * 27}...{'a' * 28}' has 201 characters, more than 200",
        ),
        (
            '{"inputs": {"q": ["\\ud83d"]}}',
            "inputs.q[0] holds '\\ud83d', half of a surrogate pair",
        ),
        (
            f'{{"inputs": {{"q": {"[" * 150}{"]" * 150}}}}}',
            f"inputs.q{'[0]' * 10}[0… is nested more than 100 deep",
        ),
    ],
)
def test_one_bad_line(line, problem):
    assert refusal(f"{GOOD}\n{line}") == f"x.jsonl:2: {problem}"


def test_all_bad_lines_are_told_at_once():
    lines = [GOOD, "{", '{"input": {}}', '{"id": 1.5}', GOOD]

    assert refusal("\n".join(lines)) == (
        "x.jsonl: 4 lines cannot be used.\n"
        "  :2: not JSON at column 2 (expecting property name enclosed in double quotes); "
        ":3: unknown key 'input'. Did you mean 'inputs'?; "
        ":4: inputs is missing; :4: case id 1.5 is not text; "
        ":5: case id 'a' is used twice (first on line 1)\n"
        '  A line is {"id": …, "inputs": {…}, "expectations": {…}, "cluster": …, "tags": […]}; '
        "only inputs is required, ids are unique."
    )


def test_a_flood_of_bad_lines_is_cut():
    message = refusal("{}\n" * 500)

    assert message.startswith("x.jsonl: 500 lines cannot be used.\n")
    assert "; :20: inputs is missing; and 480 more\n" in message
    assert message.count("\n") == 2


def test_line_separators_inside_a_text_do_not_end_a_line():
    assert (
        load(written('{"inputs": {"q": "a\u2028b\x85c"}}')).cases[0].inputs["q"] == "a\u2028b\x85c"
    )


# JSON and YAML lists


def test_lists_count_lines_from_the_file():
    text = '[\n {"id": "a", "inputs": {"q": 1}},\n {"id": "b", "inputs": {}}\n]'

    assert refusal(text, "x.json").startswith("x.json:3: inputs is {}")
    text = "# cases\n- {id: a, inputs: {q: 1}}\n- id: b\n  inputs: {}\n"
    assert refusal(text, "x.yaml").startswith("x.yaml:3: inputs is {}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"inputs": 1}', ": not a list of cases. Put [ before the first and ] at the end."),
        ('[\n{"inputs": }]', ":2: not JSON at column 12 (expecting value)"),
        (f"[{GOOD}\n{GOOD}]", ":2: not JSON (expecting ',' or ']' after a case)"),
        (f"[{GOOD}]\nx", ":1: not JSON (extra data after the list)"),
        (f"[{GOOD},]", ":1: not JSON at column 54 (expecting value)"),
        ("[\nNaN]", ":2: not JSON (NaN is not a number there)"),
    ],
)
def test_broken_json_list(text, message):
    assert refusal(text, "x.json") == f"x.json{message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inputs: {q: 1}", ": not a list of cases. Begin each case with '- inputs:'."),
        ("- a\n- b: c: d", ":2: not YAML (mapping values are not allowed here)"),
        ("- inputs: {q: 1, q: 2}", ":1: not YAML (key 'q' stands twice in one mapping)"),
        (
            "- inputs: {q: !!python/name:os.system }",
            ":1: not YAML (could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/name:os.system')",
        ),
        ("- inputs: {q: .nan}", ":1: inputs.q is nan, which is not a JSON number"),
        ("- inputs: {1: x}", ":1: inputs has the key 1, which is not text"),
        ("- inputs: {q: !!binary aGk=}", ":1: inputs.q is a bytes, which is not a JSON value"),
        (
            "- inputs: {q: \0}",
            ": not YAML (unacceptable character #x0000: special characters are not allowed "
            'in "<unicode string>", position 14)',
        ),
        ("- " * 5000 + "x", ": not YAML (nested too deep)"),
    ],
)
def test_broken_yaml(text, message):
    assert refusal(text, "x.yaml") == f"x.yaml{message}"


def test_yaml_aliases_and_merges_are_read():
    text = """
        - &first {id: a, inputs: {q: &q [1, 2]}, tags: [x]}
        - {<<: *first, id: b, cluster: c}
        - {<<: *first, id: d, inputs: {q: *q}}
        """

    cases = load(written(textwrap.dedent(text), "x.yaml")).cases

    assert [case.id for case in cases] == ["a", "b", "d"]
    assert [case.inputs for case in cases] == [{"q": [1, 2]}] * 3


@pytest.mark.parametrize(
    "text",
    [
        "- &a0 [x, x]\n" + "".join(f"- &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)),
        "- &a [*a]\n",
    ],
)
def test_yaml_bombs_are_refused(text):
    """Forty short lines of aliases stand for a million million values."""
    assert refusal(text, "x.yaml") == (
        "x.yaml: its aliases (*name) expand to more than 1,000,000 values. "
        "Write the cases out, or use .jsonl."
    )


def test_yaml_dates_are_text():
    """Every other format has them as text, and JSON has no dates."""
    [case] = load(written("- inputs: {day: 2026-01-31}", "x.yaml")).cases

    assert case.inputs == {"day": "2026-01-31"}


# CSV and Parquet


def test_csv_columns():
    text = textwrap.dedent(
        """\
        \ufeffid,question,inputs.history,expectations.facts,tags,cluster
        a,"Where
        is it?","[{""role"": ""user""}]","[""two days""]",shipping; returns,
        b,007,,,"[""x;y""]",c
        c,[sic] why?,,,
        """
    )

    a, b, c = load(written(text, "x.csv")).cases

    assert a == Case(
        id="a",
        inputs={"question": "Where\nis it?", "history": [{"role": "user"}]},
        expectations={"facts": ["two days"]},
        tags=("shipping", "returns"),
    )
    assert b == Case(id="b", inputs={"question": "007"}, cluster="c", tags=("x;y",))
    assert c.inputs == {"question": "[sic] why?"}


def test_csv_may_hold_all_inputs_in_one_column():
    [case] = load(written('inputs,tags\n"{""q"": 1}",a\n', "x.csv")).cases

    assert case.inputs == {"q": 1}


def test_csv_cells_may_be_long_and_the_limit_of_others_is_kept():
    document = "x" * 300_000

    assert load(written(f"q\n{document}\n", "x.csv")).cases[0].inputs == {"q": document}
    assert csv.field_size_limit() == 131_072


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id;q\na;b", ":1: the columns are separated by ';'. Separate them by commas."),
        ("q,q\na,b", ":1: two columns are called 'q'"),
        ("q,\na,b", ":1: column 2 has no name"),
        (
            "q,expected.facts\na,b",
            ":1: column 'expected.facts' is neither inputs.<name> nor expectations.<name>",
        ),
        (
            "q,expectation\na,b",
            ":1: column 'expectation' would be an input. Did you mean 'expectations.<name>'?",
        ),
        (
            "inputs,q\n{},b",
            ":1: column 'inputs' holds all inputs, so there cannot be a column 'q' too",
        ),
        ("id\na", ":1: no column holds an input. Name one inputs.question, for example."),
        ("id,q\na,b,c", ":2: 3 cells under 2 columns"),
        ('id,q\na,"b', ":2: not CSV (unexpected end of data)"),
        ('"q\n', ":1: not CSV (unexpected end of data)"),
        (
            'q\n"[""a"""',
            ":2: column q: not JSON at column 5 (expecting ',' delimiter)",
        ),
        (
            'id,q\na,"x\ny"\na,b',
            ":4: case id 'a' is used twice (first on line 2); "
            "results are joined on it, so ids must be unique",
        ),
    ],
)
def test_broken_csv(text, message):
    assert refusal(text, "x.csv") == f"x.csv{message}"


def test_csv_problems_end_with_what_the_file_looks_like():
    assert refusal("id,q\na,\nb,\n", "x.csv") == (
        "x.csv: 2 lines cannot be used.\n"
        "  :2: inputs is missing; :3: inputs is missing\n"
        "  The file has the columns id, inputs.<name>, expectations.<name>, cluster, tags; "
        "only inputs is required, ids are unique."
    )


def test_parquet_with_structs_and_an_index():
    rows = {
        "id": [1, 2],
        "inputs": [{"q": "a", "n": None}, {"q": "b", "n": 2}],
        "tags": [["x"], None],
        "__index_level_0__": [0, 1],
    }
    parquet.write_table(pyarrow.table(rows), "x.parquet")

    assert load(Path("x.parquet")).cases == (
        Case(id="1", inputs={"q": "a"}, tags=("x",)),
        Case(id="2", inputs={"q": "b", "n": 2}),
    )


def test_parquet_counts_rows():
    parquet.write_table(pyarrow.table({"id": ["a", "a"], "q": [1, 2]}), "x.parquet")

    with pytest.raises(DatasetError) as caught:
        load(Path("x.parquet"))
    assert str(caught.value) == (
        "x.parquet:2: case id 'a' is used twice (first on row 1); "
        "results are joined on it, so ids must be unique"
    )


def test_parquet_refuses_columns_like_csv():
    parquet.write_table(pyarrow.table({"q": ["a"], "expectation": ["b"]}), "x.parquet")

    with pytest.raises(DatasetError) as caught:
        load(Path("x.parquet"))
    assert str(caught.value) == (
        "x.parquet: column 'expectation' would be an input. Did you mean 'expectations.<name>'?"
    )


def test_broken_parquet():
    assert refusal("PAR1", "x.parquet").startswith(
        "x.parquet: not a Parquet file that can be read (Parquet file size is 4 bytes"
    )


def test_parquet_without_pyarrow(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    assert refusal("PAR1", "x.parquet") == (
        "x.parquet: pyarrow, which reads Parquet, is not installed. Run: pip install pyarrow"
    )


def test_loading_jsonl_imports_nothing_heavy():
    """A mistake in a dataset is told in a moment."""
    written(GOOD)
    code = (
        "import sys, pathlib, vcmp.datasets as d; d.load(pathlib.Path('x.jsonl'));"
        "print({'pyarrow', 'numpy', 'pandas', 'mlflow'} & sys.modules.keys())"
    )

    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).parents[1])},
    )

    assert done.stdout == "set()\n"


# Properties

labels = st.text("abcäß0-_.·漢", min_size=1, max_size=8)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    texts
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def case_lists(names, contents):
    cases = st.builds(
        Case,
        id=labels,
        inputs=st.dictionaries(names, contents, min_size=1, max_size=3),
        expectations=st.dictionaries(names, contents, max_size=3),
        cluster=labels | st.just(""),
        tags=st.lists(labels, max_size=3).map(tuple),
    )
    return st.lists(cases, min_size=1, max_size=5, unique_by=lambda case: case.id)


def rows_of(cases: list[Case]) -> list[dict[str, object]]:
    return [
        {
            "id": case.id,
            "inputs": case.inputs,
            "expectations": case.expectations,
            "cluster": case.cluster or None,
            "tags": list(case.tags),
        }
        for case in cases
    ]


def jsonl(cases: list[Case]) -> str:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows_of(cases))


@settings(max_examples=60, deadline=None)
@given(case_lists(texts, values))
def test_whatever_json_holds_comes_back(cases):
    assert load(written(jsonl(cases))).cases == tuple(cases)
    assert load(written(json.dumps(rows_of(cases), indent=1), "x.json")).cases == tuple(cases)
    assert load(written(yaml.safe_dump(rows_of(cases)), "x.yaml")).cases == tuple(cases)


# What CSV and Parquet can tell apart too: not null from absent, nor "" from absent, nor a text
# that looks like a list from a list; and a column has one type.
plain = st.text("abc 0[{,;\"'\n漢", min_size=1, max_size=9).filter(
    lambda text: not text.lstrip().startswith(("[", "{"))
)
columns = st.sampled_from(["question", "context", "n.m", "id"])


@settings(max_examples=60, deadline=None)
@given(case_lists(columns, plain))
def test_flat_formats_agree_with_jsonl(cases):
    flat = [
        {
            "id": case.id,
            "cluster": case.cluster or None,
            "tags": list(case.tags) or None,
            **{f"inputs.{name}": value for name, value in case.inputs.items()},
            **{f"expectations.{name}": value for name, value in case.expectations.items()},
        }
        for case in cases
    ]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows({**row, "tags": json.dumps(row["tags"] or [])} for row in flat)
    table = pyarrow.table({name: [row.get(name) for row in flat] for name in names})
    parquet.write_table(table, "x.parquet")

    expected = load(written(jsonl(cases)))

    assert load(written(text.getvalue(), "x.csv")) == expected
    assert load(Path("x.parquet")) == expected


@given(case_lists(texts, values), st.randoms())
def test_the_digest_knows_no_order(cases, random):
    shuffled = random.sample(cases, len(cases))

    assert Dataset(name="a", cases=tuple(cases)).digest == (
        Dataset(name="b", cases=tuple(shuffled)).digest
    )


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([".jsonl", ".json", ".yaml", ".csv", ".parquet"]))
def test_any_bytes_are_read_or_refused_in_three_lines(content, ending):
    message = ""
    try:
        load(written(content, f"x{ending}"))
    except DatasetError as error:
        message = str(error)

    assert message.count("\n") <= 2
