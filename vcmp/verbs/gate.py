"""`vcmp gate`: decide on scores that another tool has made."""

import argparse
import os
import sys
from pathlib import Path

from vcmp.console import make_console, shown
from vcmp.errors import ConfigError


def run(options: list[str], overrides: list[str]) -> int:
    """Decide on scores that another tool has made: a CSV file with one line for each case, repeat
    and scorer, the JSON that promptfoo writes, or inspect's logs as JSON."""
    parsed = _parser().parse_args(options)
    if overrides:
        raise ConfigError(
            f"{overrides[0]}: vcmp gate takes no overrides. Change the policy's file."
        )
    _check_out(parsed.out)
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())  # a rule may be the project's own
    from vcmp import conclusions, decisions, reports, tables
    from vcmp.policies import load_policy
    from vcmp.results.files import replace_file
    from vcmp.secrets import scrub

    policy = load_policy(parsed.policy)
    table = tables.read(parsed.scores, parsed.baseline)
    conclusion = decisions.conclude(table, policy)
    if parsed.out:
        replace_file(parsed.out, [scrub(reports.verdict_json(conclusion))])
    console = make_console()
    reports.screen(conclusion, console)
    if parsed.out:
        console.print()
        console.print(f"verdict   {shown(parsed.out)}", markup=False)
    return conclusions.exit_code(conclusion, policy)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="vcmp gate", description=run.__doc__)
    parser.add_argument(
        "--scores",
        type=Path,
        nargs="+",
        action="extend",
        required=True,
        metavar="FILE",
        help="CSV, promptfoo's results.json, inspect's logs",
    )
    parser.add_argument(
        "--policy", type=Path, required=True, metavar="FILE", help="like conf/gate/*.yaml"
    )
    parser.add_argument(
        "--baseline",
        default="",
        metavar="NAME",
        help="which version in the files of promptfoo or inspect the others are compared with:"
        " a prompt, provider, task, model, or file",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where verdict.json goes")
    return parser


def _check_out(out: Path | None) -> None:
    if out and out.is_dir():
        raise ConfigError(f"--out {out}: is a folder. Name a file in it: {out / 'verdict.json'}")
    if out and not out.parent.is_dir():
        raise ConfigError(f"--out {out}: there is no folder {str(out.parent)!r}. Make it first.")
