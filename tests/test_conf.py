"""Every file in conf/ composes, builds, and says in its first line what it is."""

import os
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from vcmp.composition import compose
from vcmp.config import plan_sweep, settle
from vcmp.project import folder_overrides
from vcmp.provider.cassettes.folder import Cassette, Request
from vcmp.provider.cassettes.recordings import RecordedReply
from vcmp.screening import arrange
from vcmp.tracking import set_defaults

CONF = ROOT / "conf"
CHOICES = sorted(path.relative_to(CONF) for path in CONF.glob("*/*.yaml"))


def test_there_are_choices_to_build():
    assert len(CHOICES) > 15


@pytest.mark.parametrize("path", CHOICES, ids=str)
@pytest.mark.filterwarnings("ignore:::(?!vcmp|agents)")  # MLflow's imports warn
def test_choice_composes_and_builds(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "environ", os.environ.copy())  # what is set here stays here
    set_defaults()
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(ROOT)
    for name in [name for name in sys.modules if name.split(".")[0] == "agents"]:
        monkeypatch.delitem(sys.modules, name)  # another project's
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key")
    arguments = [f"{path.parent}={path.stem}", "tracking.uri=null"]
    if path.stem == "none":
        arguments.pop()
    if path.stem == "compatible":
        arguments.append("provider.base_url=http://127.0.0.1:9/v1")
    if path.stem == "replay":
        arguments.append(f"provider.cassette={tmp_path}/taped")
        asked = Request(method="GET", path="/models", body=None)
        Cassette(tmp_path / "taped").keep(asked, RecordedReply(content={}), lambda _there: True)

    jobs = compose([*arrange(arguments), *folder_overrides(tmp_path)], conf=CONF)
    settings = settle(jobs, project=ROOT, command="")
    with settings.provider:
        (plan,) = plan_sweep(settings, tmp_path).plans

    assert plan.version.variant.params["_target_"]
    assert plan.scorers.keys() == plan.cards.keys() != set()


@pytest.mark.parametrize("path", [*CHOICES, Path("config.yaml")], ids=str)
def test_first_line_says_what_it_is(path: Path):
    assert (CONF / path).read_text("utf-8").startswith("# ")
