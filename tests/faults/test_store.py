"""The tracking store fails: the verdict stands, and what was evaluated is recorded once, later."""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks import together
from tests.conftest import Run, make_project, run_vcmp, start_vcmp
from tests.faults.stores import Line, count, exclusive_lock, free_port, mlflow_server
from tests.sweeps import sweep_folder
from vcmp import policies, recording, results
from vcmp.errors import ResultsError, TrackingError
from vcmp.tracking import MlflowTracker, sqlite

pytestmark = pytest.mark.timeout(400)
"""Seconds: MLflow's processes take 5 s of CPU each to start, and a busy machine is no defect."""

WAITING = '''
import asyncio
from pathlib import Path
from agents.support import SupportAgent

class WaitingAgent(SupportAgent):
    """Answers, and then waits until it is told to go on."""

    async def __call__(self, question):
        answer = await super().__call__(question)
        Path("asked").touch()
        while not Path("go").exists():
            await asyncio.sleep(0.02)
        return answer
'''
SWEEP = ("agent=warm,plain", "baseline=plain", "dataset.limit=6", "repeats=2", "-m")
N_TRACES = 24
UNDECIDED = 3
"""Exit code of a gate that has too few cases."""


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """A store that is opened tells MLflow by environment variables; other tests must not hear."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


def add_waiting_agents(project: Path) -> None:
    (project / "agents/waiting.py").write_text(WAITING, encoding="utf-8")
    for name, basis in (("warm", "empathetic"), ("plain", "basic")):
        text = f"defaults: [{basis}]\n_target_: agents.waiting.WaitingAgent\n"
        (project / f"conf/agent/{name}.yaml").write_text(text, encoding="utf-8")


def wait_for(path: Path, seconds: float = 90.0) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path.name} did not come"
        time.sleep(0.02)


@dataclass(frozen=True)
class Broken:
    """A sweep whose server went away while its agents answered."""

    project: Path
    folder: Path
    line: Line
    server: str
    """The server's URI, without the line in between."""
    database: Path
    done: "subprocess.CompletedProcess[str]"

    def vcmp(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return run_vcmp(self.project, *arguments)

    @property
    def shown(self) -> str:
        return os.path.relpath(self.folder, self.project)

    @property
    def note(self) -> str:
        return (
            f"not recorded: tracking.uri='{self.line.uri}': no server answers (Connection refused);"
            f" record later: vcmp sync {self.shown}"
        )


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory, new_store: Path) -> Iterator[Broken]:
    folder = tmp_path_factory.mktemp("broken")
    project = make_project(folder)
    add_waiting_agents(project)
    shutil.copyfile(new_store, folder / "mlflow.db")
    (folder / "artifacts").mkdir()
    with mlflow_server(folder / "mlflow.db", folder / "artifacts") as port:
        line = Line(port)
        running = start_vcmp(project, *SWEEP, f"tracking.uri={line.uri}")
        wait_for(project / "asked")
        line.cut()
        (project / "go").touch()
        out, err = running.communicate(timeout=90)
        yield Broken(
            project=project,
            folder=sweep_folder(project),
            line=line,
            server=f"http://127.0.0.1:{port}",
            database=folder / "mlflow.db",
            done=subprocess.CompletedProcess(SWEEP, running.returncode, out, err),
        )


def content(uri: str, experiment: str) -> dict[str, Any]:
    """All that an experiment holds of a sweep, without the ids that MLflow makes up."""
    import mlflow

    client = mlflow.MlflowClient(uri)
    experiment_id = client.get_experiment_by_name(experiment).experiment_id
    runs = client.search_runs([experiment_id], order_by=["tags.`vcmp.variant`"])
    models = client.search_logged_models([experiment_id])
    names = {run.info.run_id: run.data.tags["vcmp.variant"] for run in runs}
    names |= {model.model_id: model.name for model in models}
    traces = client.search_traces([experiment_id], max_results=100)
    return {
        "runs": [_run(run, client, names) for run in runs],
        "models": {model.name: _model(model, names) for model in models},
        "traces": {_place(trace): _trace(trace, names) for trace in traces},
    }


def _place(trace: Any) -> tuple[str, ...]:
    return tuple(trace.info.tags[f"vcmp.{key}"] for key in ("variant", "case_id", "repeat"))


def _run(run: Any, client: Any, names: dict[str, str]) -> Any:
    files = sorted(file.path for file in client.list_artifacts(run.info.run_id))
    tags = {key: names.get(value, value) for key, value in run.data.tags.items()}
    inputs = [each.dataset.digest for each in run.inputs.dataset_inputs]
    models = [names[each.model_id] for each in run.inputs.model_inputs]
    return [run.info.status, run.info.end_time, tags, run.data.metrics, files, inputs, models]


def _model(model: Any, names: dict[str, str]) -> Any:
    metrics = sorted([m.key, m.value, names[m.run_id]] for m in model.metrics)
    return [model.name, str(model.status), dict(model.params), dict(model.tags), metrics]


def _trace(trace: Any, names: dict[str, str]) -> Any:
    info = trace.info
    made_up = ("mlflow.artifactLocation", "mlflow.trace.sizeStats", "mlflow.trace.sizeBytes")
    tags = {key: value for key, value in info.tags.items() if key not in made_up}
    metadata = {k: names.get(v, v) for k, v in info.trace_metadata.items() if k not in made_up}
    scores = [[a.name, getattr(a, "value", None), a.rationale] for a in info.assessments]
    spans = [
        [s.name, s.inputs, s.outputs, s.start_time_ns, s.end_time_ns] for s in trace.data.spans
    ]
    previews = [info.request_preview, info.response_preview, str(info.state)]
    return [tags, metadata, previews, sorted(scores, key=str), sorted(spans, key=str)]


def test_a_server_that_dies_in_the_middle_costs_no_verdict(broken: Broken):
    """The exit code is the gate's; screen and report say how to record the sweep later."""
    done, folder = broken.done, broken.folder
    report = (folder / "report.md").read_text("utf-8")

    assert (done.returncode, done.stderr) == (UNDECIDED, "")
    assert done.stdout.splitlines()[-1] == broken.note
    assert f"vcmp sync {broken.shown}" in report
    assert json.loads((folder / "verdict.json").read_text("utf-8"))["verdict"] == "inconclusive"
    for job in ("0", "1"):
        assert results.load(folder / job).complete


def test_a_sweep_is_recorded_later_once_whatever_breaks_off(
    broken: Broken, monkeypatch: pytest.MonkeyPatch
):
    """vcmp is killed while it records, then the server goes away, and then it is done: it ends as
    if nothing had happened, and is not done twice."""
    line, folder = broken.line, broken.folder
    line.mend()
    killed = start_vcmp(broken.project, "sync", broken.shown)
    line.on_trace(10, lambda: os.kill(killed.pid, signal.SIGKILL))
    killed.communicate(timeout=90)
    assert killed.returncode == -signal.SIGKILL
    assert 0 < count(broken.database, "trace_info") < N_TRACES

    monkeypatch.chdir(broken.project)
    record = results.load_record(folder)
    policy = policies.choose(record, []).policy
    tracker = MlflowTracker(uri=line.uri, experiment="customer_support_agent")
    line.on_trace(18, line.cut)
    with pytest.raises(TrackingError):
        recording.sync(folder, policy, tracker)
    assert results.load_record(folder).unrecorded.startswith("not recorded: tracking.uri=")

    line.mend()
    done = broken.vcmp("sync", broken.shown)
    report = (folder / "report.md").read_text("utf-8")
    again = broken.vcmp("sync", broken.shown)

    names = ", ".join(results.load(folder / job).version.name for job in ("0", "1"))
    assert (done.stdout, done.stderr, done.returncode) == (f"recorded: {names}\n", "", 0)
    assert again.stdout == f"recorded already, and nothing was changed: {names}\n"
    assert "not recorded" not in report
    assert count(broken.database, "trace_info") == N_TRACES

    recording.sync(folder, policy, replace(tracker, uri=broken.server, experiment="undisturbed"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seen = content(broken.server, "customer_support_agent")
        assert seen == content(broken.server, "undisturbed")
    assert [run[0] for run in seen["runs"]] == ["FINISHED", "FINISHED"]
    assert len(seen["traces"]) == N_TRACES
    assert {"report.md", "verdict.json", "junit.xml"} < set(seen["runs"][0][4])


def test_a_server_that_is_down_stops_a_sweep_before_it_begins(project: Path, vcmp: Run):
    """Where, what, and what to do; nothing is asked, and no folder is left."""
    uri = f"http://127.0.0.1:{free_port()}"

    done = vcmp("agent=empathetic,basic", f"tracking.uri={uri}", "-m")

    assert done.returncode == 2
    assert done.stderr == (
        f"vcmp: tracking.uri='{uri}': no server answers (Connection refused).\n"
        "  Start it, or name another (tracking.uri=…). Without it a sweep runs with\n"
        "  tracking.required=false, to be recorded later, or with tracking=none.\n"
    )
    assert not list((project / "outputs").glob("2*"))


def test_a_store_that_is_not_required_may_be_down(
    project: Path, vcmp: Run, stored: None, monkeypatch: pytest.MonkeyPatch
):
    """The sweep runs and says that it is not recorded; another store, whose file a third process
    keeps to itself, takes it as soon as it can, and as if it had been the first."""
    uri = f"http://127.0.0.1:{free_port()}"

    done = vcmp("agent=empathetic,basic", "dataset.limit=2", f"tracking.uri={uri}",
                "tracking.required=false", "-m")  # fmt: skip

    folder = sweep_folder(project)
    shown = os.path.relpath(folder, project)
    note = (
        f"not recorded: tracking.uri='{uri}': no server answers (Connection refused);"
        f" record later: vcmp sync {shown}"
    )
    assert (done.returncode, done.stderr) == (UNDECIDED, "")
    assert f"note: {note}\n" in done.stdout
    assert f"vcmp sync {shown}" in (folder / "report.md").read_text("utf-8")

    monkeypatch.chdir(project)
    policy = policies.choose(results.load_record(folder), []).policy
    tracker = MlflowTracker(experiment="customer_support_agent")
    with exclusive_lock(project / "outputs/mlflow.db"), monkeypatch.context() as patch:
        patch.setattr(sqlite, "PATIENCE_S", 0.3)
        with pytest.raises(TrackingError) as caught:
            recording.sync(folder, policy, tracker)
    assert str(caught.value) == (
        f"tracking.uri='sqlite:///{project}/outputs/mlflow.db': another process has kept the file"
        " locked for 0.3 s.\n"
        "  End that process, or name another store (tracking.uri=…)."
    )
    with exclusive_lock(project / "outputs/mlflow.db") as release:
        threading.Timer(2.0, release).start()
        recorded = recording.sync(folder, policy, tracker)

    assert len({each.run_id for each in recorded}) == 2
    assert count(project / "outputs/mlflow.db", "trace_info") == 4
    assert "not recorded" not in (folder / "report.md").read_text("utf-8")


def test_the_store_is_looked_at_without_a_provider(project: Path, vcmp: Run, stored: None):
    """conf/ may leave the provider's address to each command line that asks a model."""
    config = project / "conf/config.yaml"
    config.write_text(config.read_text("utf-8").replace(": scripted", ": compatible"), "utf-8")
    vcmp("agent=basic", "provider=scripted", "dataset.limit=2", "baseline=null", "gate=none",
         f"tracking.uri=http://127.0.0.1:{free_port()}", "tracking.required=false")  # fmt: skip
    folder = os.path.relpath(sweep_folder(project), project)
    store = f"tracking.uri=sqlite:///{project}/outputs/mlflow.db"

    for command in (
        ("sync", folder, store), ("versions", store), ("conclude", folder, "gate=thresholds")
    ):  # fmt: skip
        assert vcmp(*command).stderr == ""


def test_a_baseline_that_only_the_store_has_is_still_required(vcmp: Run):
    """A version that is compared with nothing would pass for want of a store."""
    uri = f"http://127.0.0.1:{free_port()}"

    done = vcmp("agent=empathetic", f"tracking.uri={uri}", "tracking.required=false")

    assert (done.returncode, done.stderr) == (
        2,
        f"vcmp: tracking.uri='{uri}': no server answers (Connection refused).\n"
        "  'basic', which is to be compared with, lies only there: start it, add agent=basic,…\n"
        "  or compare with nothing (baseline=null).\n",
    )


def test_a_sweep_that_others_record_or_that_has_not_ended_is_left_alone(
    project: Path, vcmp: Run, monkeypatch: pytest.MonkeyPatch
):
    """Two processes would begin two runs, and half a sweep would stand beside the whole one."""
    vcmp("agent=basic", "baseline=null", "dataset.limit=3", "tracking=none")
    folder = sweep_folder(project)
    done = results.load(folder / "0")
    monkeypatch.chdir(project)
    policy = policies.choose(results.load_record(folder), []).policy
    tracker = MlflowTracker(experiment="app")
    descriptor = os.open(folder, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)

    with pytest.raises(TrackingError) as taken:
        recording.sync(folder, policy, tracker)
    os.close(descriptor)
    results.save(replace(done, results=done.results[:2]), folder / "0")
    with pytest.raises(ResultsError) as caught:
        recording.sync(folder, policy, tracker)

    assert str(taken.value) == (
        f"{folder}: another process is recording this sweep. Wait for it, and try again."
    )
    assert str(caught.value) == (
        f"{folder}: has 2 of 3 results of {done.version.name}; a sweep is recorded when it has"
        f" ended.\n  Go on with it: vcmp resume {folder}"
    )


def test_a_sweep_is_recorded_with_its_own_gate(project: Path, vcmp: Run):
    """Another gate would leave a verdict that nobody has seen."""
    vcmp("agent=basic", "baseline=null", "dataset.limit=2", "tracking=none")
    shown = os.path.relpath(sweep_folder(project), project)

    other_gate, no_store = (vcmp("sync", shown, *more) for more in (["gate=none"], []))

    assert (other_gate.returncode, other_gate.stderr) == (
        2,
        "vcmp: gate=none: a sweep is recorded as it was run, with its own gate.\n"
        "  vcmp sync takes tracking=…, tracking.uri=…, tracking.experiment=…\n",
    )
    assert no_store.stderr == (
        "vcmp: tracking=none: there is no store to look at. Set tracking=mlflow\n"
    )


def test_a_server_that_drips_is_given_up(tmp_path: Path):
    """Each byte comes in time, and the answer never."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        started = time.monotonic()

        with pytest.raises(TrackingError, match=r"no server answers \(timed out\)"):
            MlflowTracker(
                uri=f"http://127.0.0.1:{server.getsockname()[1]}", project=tmp_path
            ).prepare()

        assert time.monotonic() - started < 5


def drip(server: socket.socket) -> None:
    with suppress(OSError):
        connection, _ = server.accept()
        with connection:
            for byte in b"HTTP/1.1 200 OK" * 100:
                connection.sendall(bytes([byte]))
                time.sleep(0.2)


def test_a_lock_that_nobody_lets_go_of_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A process that hangs while it holds the lock does not make all others hang."""
    monkeypatch.setattr(sqlite, "QUEUE_S", 0.2)
    file = tmp_path / "mlflow.db"

    with (
        sqlite.locked(file, "tracking.uri=…"),
        pytest.raises(TrackingError) as caught,
        sqlite.locked(file, "tracking.uri=…"),
    ):
        pass

    assert str(caught.value) == (
        "tracking.uri=…: another process has kept the file locked for 0.2 s.\n"
        "  End that process, or name another store (tracking.uri=…)."
    )


@pytest.mark.filterwarnings("ignore")  # of MLflow's own imports
def test_sweeps_at_once_on_a_fresh_store_keep_their_rows_apart(capsys: pytest.CaptureFixture[str]):
    """Four processes create the tables of one file, and then write into it together."""
    code = together.main(["1", "4", "2"], lambda project, given: start_vcmp(project, *given))

    assert capsys.readouterr().out.splitlines()[1:] == [
        "in files      16 rows   lost 0   twice 0   mixed 0",
        "in store      16 rows   lost 0   twice 0   mixed 0",
        "not alike in files and store: 0",
    ]
    assert code == 0
