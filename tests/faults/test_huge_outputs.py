"""A runaway agent answers with ten million characters, several times."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

AGENT = '''
KINDS = ["word ` | <b>\\n", "y", "é\\u2028@team ", "::add-mask::x\\n"]

def answer(question, greeting=""):
    """Ten million characters: with lines, with none, beyond Latin, and of commands."""
    kind = KINDS[len(question) % len(KINDS)]
    return greeting + kind * (10_000_000 // len(kind))
'''
BASIC = "# runs away\n_target_: agents.huge.answer\n_partial_: true\n"
CANDIDATE = "# runs away with a word before it\ndefaults: [huge]\ngreeting: 'sorry '\n"
MEASURED = """
import atexit, re, runpy

def tell():
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]
    open("peak", "w").write(peak)

atexit.register(tell)
runpy.run_module("vcmp", run_name="__main__", alter_sys=True)
"""
"""The high-water mark of this process alone; `ru_maxrss` counts the one it was copied from."""


def test_ten_million_characters_keep_reports_small_and_memory_bounded(project: Path):
    for path, text in {"agents/huge.py": AGENT, "conf/agent/huge.yaml": BASIC,
                       "conf/agent/huger.yaml": CANDIDATE}.items():  # fmt: skip
        (project / path).write_text(text, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    arguments = ["agent=huger,huge", "baseline=huge", "tracking=none", "dataset.limit=4", "-m"]

    done = subprocess.run(
        [sys.executable, "-c", MEASURED, *arguments], cwd=project, env=environment,
        capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip

    assert done.returncode == 3, done.stdout + done.stderr  # four cases decide nothing
    (folder,) = (project / "outputs").glob("2*")
    sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
    assert len((folder / "report.md").read_text(encoding="utf-8")) < 60_000
    assert sizes["report.html"] < 120_000
    assert max(sizes[name] for name in ("verdict.json", "junit.xml", "scores.csv")) < 120_000
    assert len(done.stdout) < 10_000
    assert int((project / "peak").read_text()) < 500_000
