"""Nothing that vcmp reads is a pickle: a pickle is a program that runs when it is read."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, Run, start_vcmp
from tests.faults.fresh import run_fresh
from vcmp import datasets

MODULES = sorted((ROOT / "vcmp").rglob("*.py"))
PICKLES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "jsonpickle", "marshal", "shelve"}
UNSAFE = {
    "FullLoader", "UnsafeLoader", "Unpickler", "eval", "exec", "full_load", "load_model",
    "read_pickle", "unsafe_load",
}  # fmt: skip
SAFE_LOADERS = {"_Loader", "loader"}
"""Names of what is given to `yaml.load` and the like; each is a SafeLoader."""

WATCH = """
import os, sys
def watch(event, arguments):
    if event == "pickle.find_class":
        with open(os.environ["WATCHED"], "a") as file:
            print(*arguments, file=file)
sys.addaudithook(watch)
"""


def dangers(tree: ast.AST) -> Iterator[str]:
    """What in a module could build objects out of a file."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in PICKLES)
        elif isinstance(node, ast.ImportFrom) and str(node.module).split(".")[0] in PICKLES:
            yield str(node.module)
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in UNSAFE or (isinstance(node, ast.Attribute) and name == "Loader"):
                yield name
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            yield node.arg
        elif isinstance(node, ast.keyword) and node.arg == "Loader":
            loader = ast.unparse(node.value)
            yield from () if loader in SAFE_LOADERS else (loader,)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_no_module_reads_pickles_or_unsafe_yaml(path: Path):
    assert list(dangers(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "numpy.load(f, allow_pickle=True)",
        "pandas.read_pickle(f)",
        "yaml.load(f, Loader=yaml.Loader)",
        "yaml.unsafe_load(f)",
        "mlflow.pyfunc.load_model(uri)",
        "eval(text)",
    ],
)
def test_a_danger_is_seen(line: str):
    assert list(dangers(ast.parse(line)))


@pytest.mark.usefixtures("stored")
def test_a_run_and_what_reads_it_again_unpickle_nothing(project: Path, tmp_path: Path):
    """The interpreter itself is asked: it tells every class that a pickle asks for."""
    (tmp_path / "watch").mkdir()
    (tmp_path / "watch/sitecustomize.py").write_text(WATCH, encoding="utf-8")
    said = tmp_path / "said"
    env = {"PYTHONPATH": f"{tmp_path / 'watch'}:{ROOT}", "WATCHED": str(said)}
    cases = (project / "conf/dataset/support.jsonl").read_text(encoding="utf-8").splitlines()
    (project / "cases.jsonl").write_text("\n".join(cases[:3]), encoding="utf-8")

    done = run_fresh(project, "agent=basic", "gate=none", "dataset.path=cases.jsonl", env=env)
    assert done.returncode == 0, done.stderr
    arguments = ["vcmp", "agent=empathetic", "gate=none", "dataset.path=cases.jsonl"]
    run = f"import runpy; sys.argv = {arguments}; runpy.run_module('vcmp', run_name='__main__')"
    again = start_vcmp(project, env=env, code=f"{WATCH}{run}").complete(100)
    assert again.returncode == 0, again.stderr
    assert "empathetic against basic" in again.stdout  # the baseline came out of the store

    assert not said.exists()
    code = "import pickle; pickle.loads(b'cbuiltins\\nlist\\n.')"
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **env}, check=True)
    start_vcmp(project, env=env, code=f"{WATCH}{code}").complete(100)
    assert said.read_text(encoding="utf-8") == "builtins list\n" * 2


def test_a_pickle_in_a_parquet_file_is_not_read(tmp_path: Path):
    """Old pyarrow built extension types from a pickle in the schema's metadata."""
    import pyarrow
    from pyarrow import parquet

    owned = tmp_path / "owned"
    program = f"cbuiltins\nopen\n(V{owned}\nVw\ntR.".encode()  # a pickle, written by hand
    metadata = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": program,
    }
    field = pyarrow.field("inputs.q", pyarrow.string(), metadata=metadata)
    table = pyarrow.table([["x"]], schema=pyarrow.schema([field]))
    parquet.write_table(table, tmp_path / "x.parquet")

    dataset = datasets.load(tmp_path / "x.parquet")

    assert dataset.cases[0].inputs == {"q": "x"}
    assert not owned.exists()


@pytest.mark.parametrize("argument", ["--experimental-rerun", "--experimental-rerun=x.pickle"])
def test_hydras_way_to_repeat_a_job_from_a_pickle_is_refused(vcmp: Run, argument: str):
    done = vcmp(argument)

    assert done.returncode == 2
    assert done.stderr == (
        "vcmp: --experimental-rerun: vcmp reads no pickles."
        " Repeat the command line instead; it stands at the end of report.md.\n"
    )


def test_what_is_fetched_from_the_store_is_json():
    """By name: an artifact that somebody else puts beside it is not looked at."""
    from vcmp.tracking.record import FILES

    assert {Path(name).suffix for name in FILES} == {".json", ".jsonl"}
