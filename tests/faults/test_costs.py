"""What a sweep may cost is told before, and asked about."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, Run
from vcmp.testing import FaultServer

KEY = {"OPENAI_API_KEY": "no-key-of-anybody"}


def settings(server: FaultServer) -> list[str]:
    return [
        "agent=plain", "provider=openai", f"provider.base_url={server.url}", "tracking=none",
        "baseline=null", "gate=none", "dataset.limit=3", "budget.confirm_usd=0.00001",
    ]  # fmt: skip


def test_plan_tells_what_a_sweep_costs_at_worst(vcmp: Run):
    done = vcmp("plan", "agent=plain", "provider=openai", "baseline=null")
    assert "\nat most 20,639 tokens, each answer as long as it may be: $0.01\n" in done.stdout


def test_plan_says_when_a_price_is_unknown(vcmp: Run):
    done = vcmp("plan", "agent=plain", "agent.model=my-own", "provider=openai", "baseline=null")
    assert "; the price of 'my-own' is unknown\n" in done.stdout


def test_nobody_to_ask_is_a_no(project: Path, vcmp: Run):
    with FaultServer() as server:
        done = vcmp(*settings(server), env=KEY)

    assert (done.returncode, server.n_requests) == (2, 0)
    assert done.stderr == (
        "vcmp: budget.confirm_usd=1e-05: at most 446 tokens, each answer as long as it may be:"
        " $0.00, and there is nobody to ask.\n"
        "  Lower dataset.limit or max_tokens, or raise budget.confirm_usd.\n"
    )


def test_a_terminal_is_asked(project: Path):
    for reply, code, n_requests in (("n\n", 2, 0), ("y\n", 0, 3)):
        with FaultServer() as server:
            ours, theirs = pty.openpty()
            process = subprocess.Popen(
                [sys.executable, "-m", "vcmp", *settings(server)],
                cwd=project, env={**os.environ, **KEY, "PYTHONPATH": str(ROOT)}, stdin=theirs,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            os.close(theirs)
            os.write(ours, reply.encode())
            out, err = process.communicate(timeout=60)
            os.close(ours)

        assert (process.returncode, server.n_requests) == (code, n_requests), out + err
        assert "go on? [y/N]" in out
