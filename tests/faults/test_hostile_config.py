"""A change that touches only conf/ and data: what it might try, and the line that refuses it.

Each attack is one line. Most are composed in this process, which is what happens before anything of
a project is imported; that nothing was run is seen from the file `owned`, which no attack made.
"""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.builders import conclusion, evaluation
from tests.faults.fresh import run_fresh
from vcmp import datasets, reports
from vcmp.errors import ConfigError, DatasetError, VcmpError
from vcmp.policies import choose, load_policy
from vcmp.project import compose_one, new_folder
from vcmp.prompts import render
from vcmp.results import SweepRecord, save_record
from vcmp.results.files import replace_file
from vcmp.resumption import recorded_arguments
from vcmp.targets import Builder

EVIL = "_target_: os.system\ncommand: touch owned\n"
CALLBACKS = "hydra.callbacks runs code before anything is checked. Remove it."
MAY_STAND = (
    "\n  Remove it; what may stand there is hydra.mode, hydra.job.name, hydra.run.dir,"
    " hydra.sweep.dir, hydra.sweep.subdir."
)
WRITTEN = ("gadgets", "linked", "own")
"""Modules that tests write into the project."""
Write = Callable[[str, str], None]


@pytest.fixture
def inside(project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The sample project as the current folder, left without a trace of an attack."""
    monkeypatch.chdir(project)
    monkeypatch.setattr("sys.path", [str(project), *sys.path])
    for name in [name for name in sys.modules if name.split(".")[0] in ("agents", *WRITTEN)]:
        monkeypatch.delitem(sys.modules, name)
    yield project
    assert not list(project.parent.rglob("owned"))


@pytest.fixture
def write(inside: Path) -> Write:
    """Write a file of the project; what begins with `+` is added to the file there is."""

    def write(path: str, text: str) -> None:
        file = inside / path
        file.parent.mkdir(parents=True, exist_ok=True)
        more = file.read_text(encoding="utf-8") + "\n" if text.startswith("+") else ""
        file.write_text(more + text.removeprefix("+"), encoding="utf-8")

    return write


def refusal(*arguments: str) -> str:
    """What composing says; nothing may take long or be built on the way."""
    started = time.monotonic()
    with pytest.raises(VcmpError) as caught:
        compose_one(arguments)
    assert time.monotonic() - started < 30
    assert len(str(caught.value).splitlines()) <= 3
    return str(caught.value)


def told(key: str) -> str:
    return f"hydra.{key} would let a file choose what Hydra runs, or where it writes.{MAY_STAND}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hydra: {callbacks: {x: {_target_: os.system}}}", CALLBACKS),
        ("x: &x {hydra: {callbacks: {x: {_target_: os.system}}}}\n<<: *x", CALLBACKS),
        ("x: &x {hydra: {launcher: {a: 1}}}\n<<: [*x]", told("launcher.a")),
        ("hydra: {launcher: {_target_: os.system}}", told("launcher._target_")),
        ("hydra: {sweeper: {_target_: os.system}}", told("sweeper._target_")),
        ("hydra: {sweeper: {params: {+a: 'range(1,1000000000)'}}}", told("sweeper.params")),
        ("hydra: {job_logging: {handlers: {a: {(): os.system}}}}", told("job_logging.handlers")),
        ("hydra: {hydra_logging: {root: {}}}", told("hydra_logging.root")),
        ("hydra: {searchpath: ['file:///tmp']}", told("searchpath")),
        ("hydra: {output_subdir: ../../conf}", told("output_subdir")),
        ("hydra: {job: {chdir: true}}", told("job.chdir")),
        ("hydra: {job: {env_set: {LD_PRELOAD: x}}}", told("job.env_set")),
        ("hydra: {job: {env_copy: [OPENAI_API_KEY]}}", told("job.env_copy")),
        ("hydra: {runtime: {cwd: /}}", told("runtime.cwd")),
        ("hydra: {run: '${agent}'}", told("run")),
        ("hydra: {mode: {a: 1}}", told("mode.a")),
        ('"hydra": !!map {"launcher": {a: 1}}', told("launcher.a")),
    ],
)
def test_a_file_tells_hydra_nothing_that_runs_or_writes(write: Write, text: str, message: str):
    write("conf/config.yaml", f"+{text}")

    assert refusal() == f"conf/config.yaml: {message}"


def test_names_of_folders_may_stand_in_a_file_and_change_nothing(write: Write, inside: Path):
    """A guide's `hydra.run.dir` does no harm: vcmp says where results go."""
    dirs = "run: {dir: ../owned}, sweep: {dir: ../owned, subdir: ../owned}, job: {name: x}"
    write("conf/config.yaml", f"+hydra: {{{dirs}}}")

    assert compose_one([]).choices["agent"] == "basic"


PART = "would make it a part of Hydra itself. Remove the line."


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("conf/hydra/launcher/x.yaml", EVIL, "would become a part of Hydra itself. Remove it."),
        ("conf/hydra.launcher/x.yaml", EVIL, "would become a part of Hydra itself. Remove it."),
        ("conf/hydra/callbacks/x.yaml", EVIL, CALLBACKS),
        ("conf/agent/x.yaml", f"# @package hydra\n{EVIL}", f"'# @package hydra' {PART}"),
        ("conf/agent/x.yaml", f"#@package   hydra.a\n{EVIL}", f"'# @package   hydra.a' {PART}"),
        (
            "conf/agent/x.yaml",
            f"\n  # @package _global_.hydra.launcher\n{EVIL}",
            f"'# @package _global_.hydra.launcher' {PART}",
        ),
        (
            "conf/agent/x.yaml",
            f"# @a b\u2028# @package hydra.launcher\n{EVIL}",
            f"'# @package hydra.launcher' {PART}",
        ),
        (
            "conf/agent/x.yaml",
            "# @package _global_\nhydra: {launcher: {a: 1}}\n",
            told("launcher.a"),
        ),
        (
            "conf/agent/x.yaml",
            "# @package _global_\ntrust: [os]\n",
            "trust is said in conf/config.yaml alone, where a reviewer looks for it. Move it"
            " there.",
        ),
    ],
)
def test_no_file_becomes_a_part_of_hydra(write: Write, path: str, text: str, message: str):
    write(path, text)

    assert refusal() == f"{path}: {message}"


UNSEEN = "names a file that is not looked through. Name one of conf/."


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("agent@hydra.launcher: basic", "would make a file a part of Hydra itself. Remove it."),
        ("/agent/basic@hydra", "would make a file a part of Hydra itself. Remove it."),
        ("agent@${agent}: basic", "would make a file a part of Hydra itself. Remove it."),
        ("../outside/evil", UNSEEN),
        ("/../outside/evil", UNSEEN),
        ("optional agent/../../evil", UNSEEN),
        ("//tmp/evil", UNSEEN),
        ("agent/.evil", UNSEEN),
        ("agent/${now:.}./evil", UNSEEN),
    ],
)
def test_defaults_name_only_files_that_were_looked_through(write: Write, entry: str, message: str):
    write("conf/agent/x.yaml", f"defaults:\n  - {entry}\n")

    name = entry.removesuffix(": basic")
    assert refusal() == f"conf/agent/x.yaml: {name!r} {message}"


@pytest.mark.parametrize("choice", ["../../evil", "/../../evil", ".evil", "'../../evil'"])
def test_the_command_line_chooses_only_files_that_were_looked_through(write: Write, choice: str):
    write("evil.yaml", EVIL)
    write("conf/agent/.evil.yaml", EVIL)

    assert UNSEEN in refusal(f"agent={choice}")


def test_files_in_linked_folders_are_looked_through(write: Write, inside: Path):
    write("elsewhere/x.yaml", "defaults: [../../../evil]\n")
    (inside / "conf/agent/linked").symlink_to(inside / "elsewhere")

    assert refusal() == f"conf/agent/linked/x.yaml: '../../../evil' {UNSEEN}"


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_link_out_of_the_project_is_refused(write: Write, inside: Path, is_folder: bool):
    outside = inside.parent / "outside"
    outside.mkdir()
    (outside / "x.yaml").write_text(EVIL, encoding="utf-8")
    name = "linked" if is_folder else "linked.yaml"
    (inside / "conf/agent" / name).symlink_to(outside if is_folder else outside / "x.yaml")

    text = refusal()

    assert text.startswith(f"conf/agent/{name}: ")
    assert " is outside of the project. Put the file" in text


def test_a_folder_given_beside_conf_is_looked_through(write: Write, inside: Path):
    write("more/agent/x.yaml", "# @package hydra.launcher\na: 1\n")

    assert refusal("--config-dir", "more") == (
        f"more/agent/x.yaml: '# @package hydra.launcher' {PART}"
    )
    assert refusal("hydra.searchpath=[file:///tmp]") == (
        "hydra.searchpath: its files would not be looked through."
        " Name the folder: --config-dir FOLDER"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: " + "x" * 1_000_001, "1,000,004 bytes; a file of YAML may have 1,000,000 bytes."),
        ("a: [" + "1," * 50_001 + "]", "more than 50,000 values once its aliases"),
        ("a: &a [*a]", "more than 50,000 values once its aliases"),
        ("a: " + "[" * 60 + "]" * 60, "nested more than 50 deep. Write it flat."),
        ("- " * 100_000, "nested more than 50 deep. Write it flat."),
        ("a: " + "[" * 100_000, "nested more than 50 deep. Write it flat."),
        ("a: !!python/object/apply:os.system [touch owned]", "is no plain value"),
        ("a: !evil 1", "'!evil' is no plain value. Remove the tag."),
        ("a: " + "9" * 5_000, "a number of 5,000 characters. Put it in quotation marks."),
        ("a: 1" + ":59" * 300_000, "a number of 900,001 characters. Put it in quotation marks."),
        ("a: '" + "${b" * 30_000 + "}'", "${…} stands in ${…} more than 10 deep. Write it flat."),
        ("a: 1\n---\nhydra: {}", "not YAML (but found another document)"),
    ],
)
def test_a_file_that_would_not_end(write: Write, text: str, message: str):
    write("conf/agent/x.yaml", text)

    said = refusal()

    assert said.startswith("conf/agent/x.yaml:")
    assert message in said


def test_a_file_that_is_no_file(inside: Path):
    """Reading a pipe would wait for ever."""
    os.mkfifo(inside / "conf/agent/pipe.yaml")

    compose_one([])
    assert "conf/agent/pipe.yaml" in refusal("agent=pipe")


def test_references_that_blow_a_text_up(write: Write):
    lines = ["a0: xxxxxxxxxx"]
    lines += [f"a{n}: {f'${{agent.a{n - 1}}}' * 10}" for n in range(1, 10)]
    write("conf/agent/x.yaml", "\n".join(lines))

    assert refusal("agent=x") == (
        "conf: writing out every ${…}: takes more than 2 seconds of computing. Make it simpler."
    )


def test_references_to_lists_that_blow_up(write: Write):
    refer = "'${{agent.a{}}}', " * 10
    lines = ["a0: [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: [{refer.format(*[n - 1] * 10)}]" for n in range(1, 7)]
    write("conf/agent/x.yaml", "\n".join(lines))

    assert refusal("agent=x").startswith("conf: ")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("${oc.env:OPENAI_API_KEY}", "${oc.env:OPENAI_API_KEY} would write a key into files"),
        ("a ${ oc.env : 'MY_TOKEN' , x} b", "${oc.env:MY_TOKEN} would write a key into files"),
        ("${oc.env:HOME,${oc.env:DB_PASSWORD}}", "${oc.env:DB_PASSWORD} would write a key"),
        ("${oc.env:${agent.name}}", "does not say which variable it reads. Write its name."),
        ("${oc.env:OPENAI\\_API_KEY}", "does not say which variable it reads"),
        ("${oc.decode:'${x}'}", "${oc.decode:…} may not be used in a configuration."),
        ("${oc.create:{_target_: os.system}}", "${oc.create:…} may not be used"),
        ("${oc.deprecated:agent}", "${oc.deprecated:…} may not be used"),
        ("${${agent.name}:HOME}", "${${agent.name}:…} may not be used"),
        ("${oc.${agent.name}:HOME}", "${oc.${agent.name}:…} may not be used"),
        ("${a${oc.decode:x}}", "${oc.decode:…} may not be used"),
    ],
)
def test_a_resolver_reads_no_key_and_makes_no_code(write: Write, value: str, message: str):
    """In a file and on the command line."""
    write("conf/agent/x.yaml", f"name: oc.env\nprompt: >-\n  {value}\n")

    assert message in refusal()
    Path("conf/agent/x.yaml").unlink()
    said = refusal(f"agent.prompt={value}")
    assert said.startswith("agent.prompt: ")
    assert message in said


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("${oc.env:LANGUAGE_OF_TEAM}", "fr"),
        ("${oc.env:MAX_TOKENS,7}", "7"),
        ("${oc.select:no.such,there}", "there"),
        ("${app}", "customer_support_agent"),
        ("costs 5 $ {a}", "costs 5 $ {a}"),
    ],
)
def test_what_a_configuration_may_refer_to(
    write: Write, monkeypatch: pytest.MonkeyPatch, value: str, expected: str
):
    monkeypatch.setenv("LANGUAGE_OF_TEAM", "fr")
    write("conf/agent/x.yaml", f"defaults: [basic]\nprompt: '{value}'\n")

    assert str(compose_one(["agent=x"]).config["agent"]["prompt"]) == expected


GADGETS = """
import functools, os, subprocess, sys
from openai import AsyncOpenAI
from vcmp.targets import locate
class A: ...
class B(A):
    def __call__(self): ...
TABLE = {}
part = functools.partial(os.system)
"""


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "gadgets.os.system",
        "gadgets.subprocess.run",
        "gadgets.subprocess.Popen",
        "gadgets.functools.partial",
        "gadgets.part",
        "gadgets.sys.path.append",
        "gadgets.sys.modules.clear",
        "gadgets.TABLE.update",
        "gadgets.locate",
        "gadgets.AsyncOpenAI",
        "gadgets.A.__subclasses__",
        "gadgets.A.__init__.__globals__.get",
        "gadgets.B.mro",
        "vcmp.targets.locate",
        "vcmp.targets._construct",
        "vcmp.targets.partial",
        "vcmp.worktree.trees._git",
        "vcmp.results.files.replace_file",
        "vcmp.cli.main",
        "vcmp.cli.shutil.rmtree",
        "vcmp.gates.Policy.sharing",
        "vcmp.provider.meter",
        "vcmp.provider.scripted.demo.json.loads",
        "vcmp.provider.scripted.demo.load_faq",
        "vcmp.scorers.adapt",
        "mlflow.genai.scorers.scorer_utils.recreate_function",
        "mlflow.genai.scorers.base.Scorer.model_validate",
        "mlflow.pyfunc.load_model",
        "subprocess.run",
        "linked.run",
        "setuptools.setup",
        "sitecustomize.x",
    ],
)
def test_a_target_that_may_not_be_named(write: Write, inside: Path, name: str):
    """Neither at the top of a node, nor deep in its parameters."""
    write("gadgets.py", GADGETS)
    write("subprocess/cases.jsonl", "{}")  # a folder called like a module makes it nobody's own
    write("setuptools/cases.jsonl", "{}")
    write(".venv/lib/linked/__init__.py", "def run(): open('owned', 'w')\n")
    (inside / "linked").symlink_to(inside / ".venv/lib/linked")

    builder = Builder(inside)
    node = {"_target_": name, "_partial_": True}
    deep = {"_target_": "gadgets.A", "_args_": [[{"x": node}]]}
    for each in (node, deep):
        with pytest.raises(ConfigError) as caught:
            builder.build(each, "agent=x")
        lines = str(caught.value).splitlines()
        assert len(lines) == 2
        assert f"_target_ {name!r} is " in lines[0]


@pytest.mark.parametrize("folder", ["conf", "outputs"])
def test_code_beside_a_configuration_is_not_run(
    write: Write, inside: Path, monkeypatch: pytest.MonkeyPatch, folder: str
):
    """Python would import it: a folder without `__init__.py` is a package."""
    write(f"{folder}/evil.py", "open('owned', 'w')\ndef answer(question): return question\n")
    others = [place for place in sys.path if not (Path(place) / "conf").is_dir()]
    monkeypatch.setattr("sys.path", [str(inside), *others])

    with pytest.raises(ConfigError) as caught:
        Builder(inside).build({"_target_": f"{folder}.evil.answer", "_partial_": True}, "agent=x")

    assert str(caught.value) == (
        f"agent=x: _target_ '{folder}.evil.answer' is code in {folder}/, where nobody looks for it."
        " Move it into agents/."
    )


def test_a_folder_called_like_a_module_of_python_is_told_to_be_renamed(write: Write, inside: Path):
    write("code/agent.py", "class A: ...\n")

    with pytest.raises(ConfigError) as caught:
        Builder(inside).build({"_target_": "code.agent.A"}, "agent=x")

    assert str(caught.value) == (
        "agent=x: _target_ 'code.agent.A' is in a module whose name is also one of Python's own.\n"
        "  Rename code in your project."
    )


def test_what_a_project_defines_may_be_named(write: Write, inside: Path):
    write("own.py", "class A:\n    @classmethod\n    def make(cls): return cls()\nf = lambda: 1\n")
    builder = Builder(inside)

    for name in ("own.A", "own.A.make", "own.f", "vcmp.gates.NoFailures", "agents.plain.answer"):
        built = builder.build({"_target_": name, "_partial_": True}, "agent=x")
        assert built.func.__name__ == ("<lambda>" if name == "own.f" else name.rpartition(".")[2])


@pytest.mark.parametrize(
    ("path", "text", "message"),
    [
        ("dataset/x", "path: /etc/passwd", "dataset.path: '/etc/passwd' is outside"),
        ("dataset/x", "path: ../cases.jsonl", "dataset.path: '../cases.jsonl' is outside"),
        ("dataset/x", "path: link.jsonl", "dataset.path: 'link.jsonl' is outside"),
        ("dataset/x", "path: loop.jsonl", "dataset.path: 'loop.jsonl' leads nowhere."),
        ("dataset/x", 'path: "a\\0b"', "dataset.path: 'a\\x00b' leads nowhere."),
        ("provider/x", "faq: /dev/zero", "provider.faq: '/dev/zero' is outside"),
        ("provider/x", "cassette: ../tapes", "provider.cassette: '../tapes' is outside"),
        ("report/x", "template: /etc/passwd", "report.template: '/etc/passwd' is outside"),
        ("report/x", "template: ../../x.j2", "report.template: '../../x.j2' is outside"),
        ("tracking/x", "uri: sqlite:////etc/x.db", "tracking.uri: '/etc/x.db' is outside"),
        ("tracking/x", "uri: sqlite:///../x.db", "tracking.uri: '../x.db' is outside"),
        ("tracking/x", "uri: sqlite+pysqlite:////x.db?a=b", "tracking.uri: '/x.db' is outside"),
        ("tracking/x", "uri: 'sqlite:///file:/etc/x?uri=true'", "is no plain path."),
        ("tracking/x", "uri: file:///etc/x", "tracking.uri: '///etc/x' is outside"),
    ],
)
def test_a_file_of_conf_names_no_path_outside_of_the_project(
    write: Write, inside: Path, path: str, text: str, message: str
):
    (inside.parent / "cases.jsonl").write_text("{}", encoding="utf-8")
    (inside / "link.jsonl").symlink_to(inside.parent / "cases.jsonl")
    (inside / "loop.jsonl").symlink_to("loop.jsonl")
    write(f"conf/{path}.yaml", text)
    group = path.partition("/")[0]

    said = refusal(f"{group}=x")

    assert message in said
    assert said.startswith(f"{group}.")


@pytest.mark.parametrize(
    "argument",
    [
        "dataset.path=/data/cases.jsonl",
        "report.template=/data/x.j2",
        "tracking.uri=sqlite:////data/x.db",
        "+provider.cassette=/data/tapes",
    ],
)
def test_a_path_that_the_user_types_is_the_users_own(inside: Path, argument: str):
    job = compose_one([argument])

    assert argument.lstrip("+") in job.overrides


def test_outputs_that_lead_elsewhere_are_refused(inside: Path):
    (inside.parent / "elsewhere").mkdir()
    (inside / "outputs").symlink_to(inside.parent / "elsewhere")

    with pytest.raises(ConfigError) as caught:
        new_folder(inside / "outputs")

    assert str(caught.value) == (
        f"outputs: {str(inside / 'outputs')!r} is outside of the project."
        " Make it a folder of the project."
    )
    assert not list((inside.parent / "elsewhere").iterdir())


def test_no_file_is_written_through_a_link(inside: Path):
    (inside / "outputs").mkdir()
    (inside / "outputs/.gitignore").symlink_to(inside.parent / "owned")

    assert new_folder(inside / "outputs").is_dir()


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{ range(10**9) }}", ":1: Range too big."),
        ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "SLOW"),
        ("{{ 10**(10**8) }}", "SLOW"),
        ("{{ 'a' * 10**10 }}", "LARGE"),
        ("{{ '%10000000000d' % 1 }}", "LARGE"),
        ("{{ '{:>10000000000}'.format(1) }}", "LARGE"),
        ("{{ 'a'|center(10**10) }}", "LARGE"),
        ("{{ range(9)|batch(10**10, 1)|list }}", "LARGE"),
        ("{{ ('a' * 10**5)|replace('a', 'b' * 10**6) }}", "LARGE"),
        (
            "{% set n = namespace(x='a') %}"
            "{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
            "LARGE",
        ),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", ":1: maximum recursion depth"),
        ("{% include 'x.j2' %}", ":1: maximum recursion depth"),
        ("{{ " + "(" * 100_000 + "1" + ")" * 100_000 + " }}", ": maximum recursion depth"),
        ("{{ x.__class__.__mro__ }}", ":1: access to attribute"),
        ("{{ x.append(1) }}", ":1: "),
    ],
)
def test_a_template_takes_neither_the_time_nor_the_memory(
    write: Write, inside: Path, template: str, message: str
):
    """Of a prompt; a report's goes the same way."""
    write("x.j2", template)
    limits = {"SLOW": "2 seconds of computing", "LARGE": "512 MB"}

    with pytest.raises(ConfigError) as caught:
        render(Path("x.j2"), {"x": []}, folder=inside)

    if message in limits:
        message = f": takes more than {limits[message]}. Make it simpler."
    assert str(caught.value).startswith(f"x.j2{message}")


def test_a_projects_report_template_is_confined(write: Write, inside: Path):
    write("x.md.j2", "{{ 'a' * 10**10 }}")
    told = conclusion(evaluation({"a": 1.0}), evaluation({"a": 1.0}, variant="b"))

    with pytest.raises(ConfigError, match=r"^x\.md\.j2: takes more than 512 MB\."):
        reports.render(told, template="x.md.j2")


def test_a_parquet_file_that_unpacks_to_more_than_the_memory(inside: Path):
    """Ten thousand cells that share one text: some kB on disk, 2 GB in memory."""
    import pyarrow
    from pyarrow import parquet

    text = pyarrow.array(["x" * 200_000])
    cells = pyarrow.DictionaryArray.from_arrays(pyarrow.array([0] * 10_000), text)
    parquet.write_table(pyarrow.table({"inputs.q": cells}), "x.parquet", compression="zstd")
    assert Path("x.parquet").stat().st_size < 1_000_000

    with pytest.raises(DatasetError) as caught:
        datasets.load(Path("x.parquet"))

    assert str(caught.value) == (
        "x.parquet: unpacks to more than 300,000,000 bytes. Split it, or leave columns out."
    )


def test_a_dataset_that_is_too_large_is_not_even_read(inside: Path):
    with Path("x.jsonl").open("wb") as file:
        file.truncate(300_000_001)  # a file with a hole takes no room

    with pytest.raises(DatasetError) as caught:
        datasets.load(Path("x.jsonl"))

    assert str(caught.value) == (
        "x.jsonl: 300,000,001 bytes; a dataset may have 300,000,000. Split it."
    )


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.yaml", "- &a {inputs: {q: 1}}\n- !!python/object/apply:os.system [touch owned]", ":2"),
        ("x.yaml", "- inputs: " + "[" * 100_000, ": not YAML (nested too deep)"),
        ("x.json", "[" * 100_000, "nested too deep"),
        ("x.jsonl", '{"inputs": ' + "[" * 100_000, "nested too deep"),
        ("x.jsonl", '{"inputs": {"q": ' + "1" * 100_000 + "}}", "a number has too many digits"),
    ],
)  # fmt: skip
def test_a_dataset_that_attacks_its_reader(write: Write, name: str, text: str, message: str):
    write(name, text)

    with pytest.raises(DatasetError) as caught:
        datasets.load(Path(name))

    assert message in str(caught.value)


def test_a_dataset_that_is_no_plain_file(inside: Path):
    """A pipe would be waited for, and a device has no end."""
    os.mkfifo("pipe.jsonl")
    Path("zero.jsonl").symlink_to("/dev/zero")

    for name in ("pipe.jsonl", "zero.jsonl"):
        with pytest.raises(DatasetError) as caught:
            datasets.load(Path(name))
        assert str(caught.value) == f"{name}: no plain file. Name a file of cases."


@pytest.mark.parametrize("number", ["1" + ":59" * 100_000, "9" * 5_000])
def test_a_dataset_with_a_number_that_takes_minutes_to_read(write: Write, number: str):
    write("x.yaml", f"- inputs: {{n: {number}}}\n")

    with pytest.raises(DatasetError, match=r"x.yaml:1: not YAML \(a number has too many digits\)"):
        datasets.load(Path("x.yaml"))


def test_aliases_of_a_dataset_are_counted(write: Write):
    lines = ["- &a0 {inputs: {q: [x, x, x, x, x, x, x, x, x, x]}}"]
    lines += [f"- &a{n} {{inputs: {{q: [{', '.join([f'*a{n - 1}'] * 10)}]}}}}" for n in range(1, 9)]
    write("x.yaml", "\n".join(lines))

    with pytest.raises(DatasetError, match="expand to more than 1,000,000 values"):
        datasets.load(Path("x.yaml"))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            SweepRecord(trust=("os",), gate="x", policy={"rules": [{"_target_": "os.system"}]}),
            "sweep.json trusts 'os', and conf/config.yaml does not.\n"
            "  If its code may run here, say so there: trust: [os]",
        ),
        (
            SweepRecord(report={"template": "../../etc/passwd"}),
            "report.template of sweep.json: '../../etc/passwd' is outside of the project."
            " If it is yours, type it: report.template=…",
        ),
    ],
)
def test_the_files_of_a_sweep_from_elsewhere_widen_nothing(
    inside: Path, record: SweepRecord, message: str
):
    with pytest.raises(ConfigError) as caught:
        choose(record, [])

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("+hydra.callbacks.x._target_=os.system", "begun with '+hydra.callbacks.x._target_=os.s"),
        ("trust=[os]", "begun with 'trust=[os]'."),
        ("--config-dir=/tmp", "begun with '--config-dir=/tmp'."),
        ("dataset.path=/etc/passwd", "dataset.path: '/etc/passwd' is outside of the project."),
    ],
)
def test_a_sweep_from_elsewhere_is_not_gone_on_with_beyond_the_project(
    inside: Path, argument: str, message: str
):
    folder = Path("outputs/there")
    folder.mkdir(parents=True)
    save_record(SweepRecord(arguments=("agent=basic", argument)), folder)

    with pytest.raises(ConfigError) as caught:
        recorded_arguments(folder)

    text = str(caught.value)
    assert text.startswith(f"outputs/there/sweep.json: {message}")
    assert text.endswith("If it is yours, repeat the command line with resume=outputs/there")


def test_a_report_replaces_a_link_and_does_not_follow_it(inside: Path):
    for name in ("report.md", "report.md.new"):
        (inside / name).symlink_to(inside.parent / "owned")

    replace_file(inside / "report.md", ["text"])

    assert (inside / "report.md").read_text(encoding="utf-8") == "text"
    assert not (inside / "report.md").is_symlink()


def test_a_policy_file_is_looked_through_like_any_other(write: Write):
    write("x.yaml", "rules: []\nalpha: ${oc.decode:'1'}\n")

    with pytest.raises(ConfigError, match=r"^x\.yaml: \$\{oc\.decode:…\} may not be used"):
        load_policy("x.yaml")


def test_a_mistake_is_told_through_the_command_line(project: Path):
    """Before Hydra, MLflow or the OpenAI client are imported."""
    (project / "conf/agent/x.yaml").write_text("prompt: ${oc.env:MY_API_KEY}\n", encoding="utf-8")

    done = run_fresh(project, "--cfg", "job", env={"PYTHONPROFILEIMPORTTIME": "1"})

    said = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert said == [
        "vcmp: conf/agent/x.yaml: ${oc.env:MY_API_KEY} would write a key into files and prompts.",
        "  Let your code read the variable; the provider's key is provider.api_key_env=NAME",
    ]
    imported = set(re.findall(r"^import time:.*\| +(\w+)$", done.stderr, re.MULTILINE))
    assert "yaml" in imported
    assert imported & {"hydra", "omegaconf", "mlflow", "openai", "scipy", "jinja2"} == set()
    assert done.returncode == 2
