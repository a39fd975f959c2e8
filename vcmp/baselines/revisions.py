"""Other revisions of the project as baselines: which commits they are, and what came of those."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vcmp import results, versions, worktree
from vcmp.baselines.names import REVISION, Asked, Wanted
from vcmp.errors import ConfigError, EvaluationError
from vcmp.types import Evaluation
from vcmp.worktree import Ended


def resolve(baseline: str, anchors: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
    """By name, the commits of those baselines that are revisions.

    Args:
        baseline: As in the configuration.
        anchors: The further ones.
        known: The commits with which the sweep was begun: it goes on with them, though a branch
            may have moved on.

    Raises:
        ConfigError: Git has no such revision here.
    """
    asked = [Asked(name=baseline), *(Asked(name=name, role="anchor") for name in anchors)]
    return {
        each.name: _known_commit(each, known[each.name]) if each.name in known else _commit(each)
        for each in asked
        if each.name.startswith(REVISION)
    }


def _commit(asked: Asked) -> str:
    revision = asked.name.removeprefix(REVISION)
    commit = worktree.commit_of(revision, Path.cwd())
    if not commit:
        raise ConfigError(
            f"{asked.where}: git has no revision {revision!r} here.\n"
            f"  Correct the name, or fetch it first: git fetch origin"
            f" {revision.removeprefix('origin/')}"
        )
    return commit


def _known_commit(asked: Asked, commit: str) -> str:
    if not worktree.commit_of(commit, Path.cwd()):
        raise ConfigError(
            f"{asked.where}: git has no commit {commit[:8]} here, with which the sweep was begun.\n"
            f"  Fetch it first: git fetch origin {commit}"
        )
    return commit


def moved(revisions: Mapping[str, str]) -> Iterator[str]:
    """A note for each name that has come to stand for another commit."""
    for name, commit in revisions.items():
        now = worktree.commit_of(name.removeprefix(REVISION), Path.cwd())
        if now != commit:
            yield f"{name} has moved since the sweep was begun, which goes on with {commit[:8]}"


def evaluate_revision(asked: Asked, wanted: Wanted) -> Evaluation:
    """What another revision ships, under its own clean name: its tree differs from the commit by
    today's cases and scorers alone, which are no change of the version.

    Raises:
        ConfigError: It cannot be evaluated.
        EvaluationError: It was, but not to the end; what is finished is kept.
    """
    commit = wanted.revisions[asked.name]
    folder = wanted.folder / results.REVISIONS / commit
    ended = worktree.evaluate(commit, Path.cwd(), wanted.rerun, folder, wanted.folder)
    baseline = _finished(ended, folder / "0", asked, wanted)
    version = baseline.version
    if version.revision is None:
        raise ConfigError(f"{asked.where}: git does not say what it is.")
    clean = replace(version.revision, dirty="", branch=asked.name.removeprefix(REVISION))
    name = versions.name(version.app, version.variant.name, clean)
    return replace(baseline, version=replace(version, name=name, revision=clean))


def _finished(ended: Ended, folder: Path, asked: Asked, wanted: Wanted) -> Evaluation:
    if ended.code < 0:
        by = signal.Signals(-ended.code).name
        raise _unfinished(f"its process was ended by {by}", asked, wanted)
    if ended.code not in (0, EvaluationError.exit_code):
        raise ConfigError(
            f"{asked.where}: that revision cannot be evaluated.\n"
            f"  {ended.error or f'exit code {ended.code}'}"
        )
    if ended.code and ended.error:
        raise _unfinished(ended.error, asked, wanted)
    baseline = results.load(folder)
    if baseline.stopped:
        raise _unfinished(f"stopped, {' '.join(baseline.stopped.split())}", asked, wanted)
    return baseline


def _unfinished(why: str, asked: Asked, wanted: Wanted) -> EvaluationError:
    kept = any(wanted.folder.rglob("*.jsonl"))
    raised = " budget.…=…" if "budget: " in why else ""
    way_on = f"Go on with what is kept: vcmp resume {os.path.relpath(wanted.folder)}{raised}"
    return EvaluationError(
        f"{asked.where}: {why}\n  {way_on if kept else 'Nothing was finished: run it again.'}"
    )
