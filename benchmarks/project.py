"""A project whose only agent asks a model once a case."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
AGENT = """\
from openai import AsyncOpenAI


class Asks:
    def __init__(self):
        self.client = AsyncOpenAI()

    async def __call__(self, question):
        message = {"role": "user", "content": question}
        reply = await self.client.chat.completions.create(model="gpt-4o-mini", messages=[message])
        return reply.choices[0].message.content
"""
CONFIG = """\
defaults: [vcmp, {agent: asks}, {provider: compatible}, _self_]
dataset: {path: conf/cases.jsonl}
scorers: {said: {_target_: vcmp.scorers.Contains, text: a}}
"""


def make_project(folder: Path, n_cases: int) -> None:
    """Write it, with so many cases."""
    for name in ("conf/agent", "conf/provider", "agents"):
        (folder / name).mkdir(parents=True)
    (folder / "agents/__init__.py").touch()
    (folder / "agents/asks.py").write_text(AGENT, encoding="utf-8")
    (folder / "conf/agent/asks.yaml").write_text("_target_: agents.asks.Asks\n", encoding="utf-8")
    provider = (ROOT / "conf/provider/compatible.yaml").read_text(encoding="utf-8")
    (folder / "conf/provider/compatible.yaml").write_text(provider, encoding="utf-8")
    (folder / "conf/config.yaml").write_text(CONFIG, encoding="utf-8")
    cases = (json.dumps({"id": f"{n}", "inputs": {"question": f"{n}?"}}) for n in range(n_cases))
    (folder / "conf/cases.jsonl").write_text("\n".join(cases), encoding="utf-8")


def start(project: Path, *arguments: str) -> "subprocess.Popen[bytes]":
    """Start vcmp in it."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "vcmp", *arguments],
        cwd=project,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
