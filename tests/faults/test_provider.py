"""A provider that fails: what is sent, how long it takes, what is said, how it ends."""

import json
from pathlib import Path
from typing import Any

from vcmp.testing import FaultServer, faults


def rows(project: Path, job: str = "0") -> list[dict[str, Any]]:
    (path,) = (project / "outputs").glob(f"2*/{job}/results.jsonl")
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def settings(server: FaultServer, *more: str) -> list[str]:
    return [
        "agent=plain", "provider=compatible", f"provider.base_url={server.url}", "tracking=none",
        "baseline=null", "gate=none", "dataset.limit=4", *more,
    ]  # fmt: skip


ENDINGS = [
    (faults.answer("Hello."), "ok", 1, ""),
    (faults.rate_limit(), "error", 3, "RateLimitError"),
    (faults.bad_gateway(), "error", 3, "InternalServerError"),
    (faults.reset(), "error", 3, "APIConnectionError"),
    (faults.html_with_200(), "error", 3, "JSONDecodeError"),
    (faults.no_choices(), "error", 3, "BrokenReplyError: the reply has no choices"),
    (faults.empty_content(), "empty", 1, "the answer is empty"),
    (faults.content_filter(), "filtered", 1, "the provider's filter cut the answer off"),
    (faults.refusal(), "refusal", 1, ""),
    (faults.truncated(), "truncated", 1, ""),
]


def test_names():
    print([name for name in dir(faults) if not name.startswith("_")])
