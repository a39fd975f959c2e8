"""Opening a store: its address, its lock, and what is said when it cannot be used."""

import os
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.commands import Command
from tests.conftest import ROOT, start_vcmp
from tests.tracking.conftest import Recording
from vcmp.errors import TrackingError
from vcmp.tracking import MlflowTracker, probes
from vcmp.tracking.environment import set_environment


def run(code: str, folder: Path) -> Command:
    """Run Python in `folder`, in an environment that knows nothing of MLflow."""
    return start_vcmp(folder, code=code)


def test_importing_the_package_does_not_import_mlflow(tmp_path: Path):
    """It takes seconds; configuration errors and help must not wait for it."""
    code = "import sys, vcmp.tracking; print({'mlflow', 'pandas', 'numpy'} & set(sys.modules))"
    command = [sys.executable, "-c", code]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stdout == "set()\n"


def test_three_processes_open_a_fresh_store_at_once(tmp_path: Path):
    """MLflow by itself crashes two of them; and none of them says anything."""
    code = "from vcmp.tracking import MlflowTracker; MlflowTracker().prepare()"

    processes = [run(code, tmp_path) for _ in range(3)]

    assert [process.communicate() for process in processes] == [("", "")] * 3
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        (None, "sqlite:///{project}/outputs/mlflow.db"),
        ("sqlite:///there/mlflow.db", "sqlite:///{project}/there/mlflow.db"),
        ("sqlite:////srv/mlflow.db", "sqlite:////srv/mlflow.db"),
        ("https://mlflow.example.org", "https://mlflow.example.org"),
        ("postgresql://db/mlflow", "postgresql://db/mlflow"),
    ],
)
def test_the_uri_is_as_given_with_absolute_paths(tmp_path: Path, uri: str | None, expected: str):
    """The current folder, in which MLflow would look, may be any."""
    store = MlflowTracker(uri=uri, project=tmp_path).store

    assert store.uri == expected.format(project=tmp_path)


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """But for the URI: an agent that traces itself would else make a store of its own."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "7")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    store = MlflowTracker(project=tmp_path).store

    set_environment(store)

    assert os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "7"
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert os.environ["MLFLOW_TRACKING_URI"] == store.uri


@pytest.fixture
def deaf_server() -> Iterator[str]:
    """The address of a server that takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def free_address() -> str:
    """An address at which nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_a_server_that_is_down_is_known_at_once(tmp_path: Path, free_address: str, scheme: str):
    """Before the first paid call; MLflow itself tries for four minutes."""
    uri = f"{scheme}://{free_address}/mlflow"
    started = time.monotonic()

    with pytest.raises(TrackingError) as caught:
        MlflowTracker(uri=uri, project=tmp_path).prepare()

    assert time.monotonic() - started < 5
    assert str(caught.value) == (
        f"tracking.uri='{uri}': no server answers (Connection refused).\n"
        "  Start it, or name another (tracking.uri=…). Without it a sweep runs with\n"
        "  tracking.required=false, to be recorded later, or with tracking=none."
    )


def test_a_server_that_does_not_answer_is_known_within_five_seconds(
    tmp_path: Path, deaf_server: str
):
    """A connection alone is not an answer."""
    started = time.monotonic()

    with pytest.raises(TrackingError, match=r"no server answers \(timed out\)"):
        MlflowTracker(uri=f"http://{deaf_server}", project=tmp_path).prepare()

    assert time.monotonic() - started < 5


def test_a_password_is_not_shown(tmp_path: Path, free_address: str):
    """Errors are copied into issues and logs."""
    uri = f"postgresql://user:secret@{free_address}/mlflow"

    with pytest.raises(TrackingError) as caught:
        MlflowTracker(uri=uri, project=tmp_path).prepare()

    assert f"postgresql://user:***@{free_address}/mlflow" in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", ["a b", "ünï", "50%", """p ü 'q" d"""])
def test_a_project_may_lie_in_any_folder(tmp_path: Path, name: str):
    """Spaces, percent signs and quotes mean something in URIs and in MLflow's SQL."""
    folder = tmp_path / name
    folder.mkdir()
    code = "from vcmp.tracking import MlflowTracker; MlflowTracker().prepare()"

    assert run(code, folder).communicate() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert sorted(path.name for path in (folder / "outputs").iterdir()) == [
        "mlflow.db",
        "mlflow.db.lock",
    ]


@pytest.mark.parametrize("name", ["a%20b", "is it?"])
def test_a_folder_that_means_something_else_in_a_uri_is_refused(tmp_path: Path, name: str):
    """MLflow would make another folder beside it."""
    with pytest.raises(TrackingError) as caught:
        MlflowTracker(project=tmp_path / name).set_environment()

    assert str(caught.value) == (
        f"tracking.uri=null: {str(tmp_path / name / 'outputs' / 'mlflow.db')!r} has a ? or a % "
        "with two digits in it, which mean something else in a URI.\n"
        "  Rename the folder, or keep the record elsewhere (tracking.uri=sqlite:////…)."
    )


@pytest.mark.parametrize("name", ["", "  "])
def test_an_experiment_needs_a_name(tmp_path: Path, name: str):
    """MLflow's own message comes seconds later and does not say which option it means."""
    with pytest.raises(TrackingError) as caught:
        MlflowTracker(experiment=name, project=tmp_path).set_environment()

    assert str(caught.value) == (
        f"tracking.experiment={name!r}: MLflow needs a name.\n"
        "  Set app=… in conf/config.yaml, or tracking.experiment=…"
    )


class Guarded(BaseHTTPRequestHandler):
    """Notes who logs in."""

    logins: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.logins.append(self.headers.get("Authorization"))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_a_server_with_a_password_in_its_uri_is_reached(tmp_path: Path):
    """urllib takes the password for a part of the host's name."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Guarded) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://user:p%40w@127.0.0.1:{server.server_port}"
        failure = probes.ask(MlflowTracker(uri=uri, project=tmp_path).store.uri)
        server.shutdown()

    assert failure is None
    assert Guarded.logins == ["Basic dXNlcjpwQHc="]


@pytest.mark.parametrize("scheme", ["http", "postgresql"])
def test_no_command_shows_a_password(monkeypatch: pytest.MonkeyPatch, scheme: str):
    """It is printed, and any user of the machine can list processes."""
    monkeypatch.delenv("MLFLOW_BACKEND_STORE_URI", raising=False)
    uri = f"{scheme}://user:p%40w@db/mlflow"
    tracker = MlflowTracker(uri=uri)

    assert "p%40w" not in " ".join(tracker.ui_command(5055))
    assert os.environ.get("MLFLOW_BACKEND_STORE_URI") == (None if scheme == "http" else uri)


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("http://user:p@w/x@host:1/a", "http://user:***@host:1/a"),
        ("https://token@host", "https://***@host"),
        ("postgresql://user@host/db", "postgresql://user@host/db"),
        ("http://host:1", "http://host:1"),
    ],
)
def test_a_shown_uri_has_no_secret(uri: str, shown: str):
    """Nor has what others say of it."""
    store = MlflowTracker(uri=uri).store

    assert store.shown == shown
    assert store.hide(f"Bad request to {uri}/api") == f"Bad request to {shown}/api"


def test_what_traces_itself_without_a_store_writes_into_outputs(tmp_path: Path):
    """With tracking=none too, nothing lands beside the sources."""
    (tmp_path / "outputs").mkdir()
    code = """
from vcmp.tracking import set_defaults
set_defaults()
import mlflow
with mlflow.start_span("part"):
    pass
mlflow.flush_trace_async_logging()
"""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}
    command = [sys.executable, "-c", code]

    subprocess.run(command, cwd=tmp_path, env={**clean, "PYTHONPATH": str(ROOT)}, check=True)

    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]


def test_a_database_of_a_newer_mlflow_is_refused_in_words(tmp_path: Path):
    """A newer MLflow changes the file without asking, and an older one cannot read it."""
    from importlib.metadata import version

    file = tmp_path / "mlflow.db"
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("CREATE TABLE alembic_version (version_num TEXT)")
        database.execute("INSERT INTO alembic_version VALUES ('ffff00000000')")

    with pytest.raises(TrackingError) as caught:
        MlflowTracker(uri="sqlite:///mlflow.db", project=tmp_path).prepare()

    assert str(caught.value) == (
        f"tracking.uri='sqlite:///{file}': written by a newer MLflow than the installed "
        f"{version('mlflow')}, which does not know its schema 'ffff00000000'.\n"
        "  Upgrade MLflow, or name another file (tracking.uri=sqlite:///…)."
    )


def test_a_file_that_is_no_database_is_refused(tmp_path: Path):
    """It is left as it is."""
    file = tmp_path / "notes.txt"
    file.write_text("not a database, " * 100)

    with pytest.raises(TrackingError) as caught:
        MlflowTracker(uri="sqlite:///notes.txt", project=tmp_path).prepare()

    assert str(caught.value) == (
        f"tracking.uri='sqlite:///{file}': file is not a database.\n"
        "  Mend it, name another store (tracking.uri=…), or record nothing (tracking=none)."
    )
    assert file.read_text().startswith("not a database")


def test_a_plain_folder_is_refused(tmp_path: Path):
    """MLflow has given up keeping records in folders."""
    with pytest.raises(TrackingError, match=r"^tracking.uri='\./mlruns': "):
        MlflowTracker(uri="./mlruns", project=tmp_path).prepare()


def test_a_deleted_experiment_is_an_error(other: MlflowTracker, mlflow: Any):
    """MLflow keeps the name, so it cannot be made again."""
    from dataclasses import replace

    gone = replace(other, experiment="gone")
    gone.prepare()
    experiment_id = mlflow.get_experiment_by_name("gone").experiment_id
    mlflow.delete_experiment(experiment_id)

    with pytest.raises(TrackingError) as caught:
        gone.prepare()

    assert str(caught.value) == (
        "tracking.experiment='gone': deleted in MLflow.\n"
        f"  Restore it (mlflow experiments restore -x {experiment_id}), "
        "or name another (tracking.experiment=…)."
    )


def test_two_threads_create_one_experiment(other: MlflowTracker, mlflow: Any):
    """Whoever comes second uses it."""
    from dataclasses import replace

    tracker = replace(other, experiment="shared")
    threads = [threading.Thread(target=tracker.prepare) for _ in range(4)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    (found,) = mlflow.search_experiments(filter_string="name = 'shared'")
    assert found.artifact_location == (other.project / "outputs" / "mlartifacts").as_uri()


def test_the_ui_serves_the_store(recording: Recording):
    """With the store's artifacts, and with few processes."""
    store = recording.tracker.store
    command = recording.tracker.ui_command(5055)

    assert command == [
        *[sys.executable, "-m", "mlflow", "server"],
        *["--backend-store-uri", store.uri],
        *["--artifacts-destination", (recording.project / "outputs" / "mlartifacts").as_uri()],
        *["--host", "127.0.0.1", "--port", "5055", "--workers", "1"],
    ]
    assert os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] == "false"


def test_a_server_has_its_own_ui():
    """There is nothing to start."""
    tracker = MlflowTracker(uri="https://mlflow.example.org")

    assert tracker.ui_command(5055) == ["https://mlflow.example.org"]
