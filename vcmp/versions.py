"""Versions: which code an evaluation ran on, and what to call it.

Git is asked through its command line and nothing is written, not even a refreshed index: runs that
start together must not meet on a lock. What a user's git configuration changes in the output of a
diff is set aside, so that one tree has one digest everywhere.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

from vcmp.digests import digest_of
from vcmp.errors import VersionError
from vcmp.types import Revision

TIMEOUT_S = 60
WATCHED = ("conf", "agents")
"""Folders of a project whose untracked files are part of the version."""

_FOREIGN = frozenset({"__pycache__", "site-packages"})

_LOCAL = "versions are called …-local-dev and cannot be traced to code"

_GIT = (
    "git",
    *("-c", "core.fsmonitor=false"),  # names a program to start
    *("-c", "diff.autoRefreshIndex=false"),  # writes the index, whatever GIT_OPTIONAL_LOCKS says
)
_DIFF = (
    "diff",
    *("--full-index", "--no-color", "--no-ext-diff", "--no-textconv", "--no-renames"),
    *("--no-relative", "--src-prefix=a/", "--dst-prefix=b/", "--diff-algorithm=myers"),
    *("--unified=3", "--inter-hunk-context=0", "--no-indent-heuristic", "-O/dev/null"),
    *("--submodule=short", "--ignore-submodules=untracked"),
)


class _OutsideGitError(Exception):
    """There is no commit the project could be traced to; its text says why."""


def name(app: str, variant: str, revision: Revision | None) -> str:
    """What a variant at a revision is called: `<app>-<variant>-git-<sha8>[-dirty-<digest6>]`.

    Outside git it is `<app>-<variant>-local-dev`. Only ASCII letters, digits, `_` and `-` occur,
    for MLflow refuses other signs in the name of a model; what was lost by that, beyond
    punctuation, a digest makes up for.
    """
    stem = f"{_plain(app)}-{_plain(variant)}"
    if revision is None:
        return f"{stem}-local-dev"
    dirty = f"-dirty-{revision.dirty[:6]}" if revision.dirty else ""
    return f"{stem}-git-{revision.commit[:8]}{dirty}"


def revision(project: Path, sources: Iterable[Path] = ()) -> Revision | None:
    """The git revision of a project; None when it has none.

    Raises:
        VersionError: There is a repository, and git cannot or will not read it.
    """
    return describe(project, sources)[0]


def describe(project: Path, sources: Iterable[Path] = ()) -> tuple[Revision | None, str]:
    """The git revision of a project, and a note for its user.

    A tree is dirty when a tracked file anywhere in the repository differs from the commit, or when
    there are files that git neither tracks nor ignores in the project's `conf/` and `agents/` or
    among `sources`. Other untracked files cannot change what an agent does.

    Args:
        project: The folder that holds conf/ and agents/, anywhere in a work tree.
        sources: Files that the agents were imported from; those outside the repository do not
            count.

    Returns:
        The revision and "", or None and the reason why there is none, to be shown.

    Raises:
        VersionError: There is a repository, and git cannot or will not read it.
    """
    try:
        return _revision(project, sources), ""
    except _OutsideGitError as reason:
        return None, f"{reason}: {_LOCAL}"


def code_digest(project: Path, sources: Iterable[Path] = ()) -> str:
    """Digest of the project's code as it lies on the disk, for where no revision says what it is.

    Args:
        project: The folder that holds agents/, all files of which count.
        sources: Files that the agents were imported from; those outside the project do not count.

    Raises:
        VersionError: A file cannot be read.
    """
    paths = {path for path in (project / "agents").rglob("*") if path.is_file()}
    paths |= {path for path in sources if path.is_relative_to(project)}
    digest = hashlib.sha256()
    for path in sorted(path.relative_to(project) for path in paths):
        if not _FOREIGN.intersection(path.parts):
            digest.update(f"{path.as_posix()}\0".encode(errors="surrogateescape"))
            digest.update(_content_digest(project / path))
    return digest.hexdigest()


def without_credentials(url: str) -> str:
    """A remote's URL without password, token or query; the user of an ssh URL stays."""
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url  # git@host:path, or a path
    host, slash, path = rest.partition("/")
    user, at, host = host.rpartition("@")
    kept = f"{user.partition(':')[0]}@" if at and scheme.endswith("ssh") else ""
    return f"{scheme}://{kept}{host}{slash}{re.split('[?#]', path)[0]}"


def _revision(project: Path, sources: Iterable[Path]) -> Revision:
    root = _root(project)
    commit = _text(_git(project, "rev-parse", "--verify", "--quiet", "HEAD", fails=1))
    if not commit:
        raise _OutsideGitError("the git repository has no commit yet")
    branch = _git(project, "symbolic-ref", "--quiet", "--short", "HEAD", fails=1)
    url = _git(project, "config", "--get", "remote.origin.url", fails=1)
    return Revision(
        commit=commit,
        branch=_text(branch),
        dirty=_dirty(project, root, sources),
        remote_url=without_credentials(_text(url)),
    )


def _plain(text: str) -> str:
    slug = re.sub(r"[^A-Za-z0-9_-]+", "_", text)
    return slug if text.isascii() else f"{slug}_{digest_of(text)[:6]}"


def _root(project: Path) -> Path:
    """The top folder of the work tree that the project is part of."""
    root = Path(os.fsdecode(_git(project, "rev-parse", "--show-toplevel").removesuffix(b"\n")))
    ignored = bool(_git(project, "check-ignore", ".", fails=1))
    if ignored and not _git(project, "ls-files", "-z", "--", "."):
        raise _OutsideGitError("ignored by the git repository around it")
    return root


def _dirty(project: Path, root: Path, sources: Iterable[Path]) -> str:
    """Digest of what differs from the commit, 64 hexadecimal digits; "" when nothing does."""
    diff = _git(project, *_DIFF, "HEAD")
    untracked = list(_untracked(project, root, sources))
    if not diff and not untracked:
        return ""
    digest = hashlib.sha256(diff)
    for path in untracked:
        digest.update(f"\0{path.relative_to(root).as_posix()}\0".encode(errors="surrogateescape"))
        digest.update(_content_digest(path))
    return digest.hexdigest()


def _untracked(project: Path, root: Path, sources: Iterable[Path]) -> Iterator[Path]:
    folder = project.resolve()
    found = (source.resolve() for source in sources)
    # A virtual environment in the project is named by constraints, not by its files.
    own = (source for source in found if "site-packages" not in source.parts)
    inside = sorted({f":(literal){source}" for source in own if source.is_relative_to(root)})
    paths = _git(
        project,
        *("ls-files", "--others", "--exclude-standard", "--exclude=__pycache__/", "-z", "--"),
        *WATCHED,
        *inside,
    )
    for path in sorted({os.fsdecode(path) for path in paths.split(b"\0") if path}):
        yield Path(os.path.normpath(folder / path))


def _content_digest(path: Path) -> bytes:
    if path.is_symlink():
        return hashlib.sha256(os.fsencode(path.readlink())).digest()
    if path.is_dir():  # a repository within the repository, of which git lists only the folder
        return b""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise VersionError(
            f"{path}: part of the version, but cannot be read. {error.strerror}"
        ) from error


def _text(output: bytes) -> str:
    return output.decode(errors="replace").strip()


def _git(project: Path, *command: str, fails: int = 0) -> bytes:
    """Standard output of a git command; exit code `fails` is no error but means "nothing"."""
    try:
        done = subprocess.run(
            [*_GIT, "-C", str(project), *command],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            env=_environment(),
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise VersionError(
            f"{project}: 'git {command[0]}' took more than {TIMEOUT_S} s. Run it there to see why."
        ) from error
    except (FileNotFoundError, PermissionError) as error:
        raise _OutsideGitError("git is not installed") from error
    if done.returncode not in (0, fails):
        raise _refusal(project, done.stderr.decode(errors="replace"))
    return done.stdout


def _environment() -> dict[str, str]:
    """Without what a git hook sets: it would point to another index, or another repository."""
    inherited = {
        key: value
        for key, value in os.environ.items()
        if key not in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")
    }
    return {**inherited, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0"}


def _refusal(project: Path, said: str) -> Exception:
    if "not a git repository" in said:
        return _OutsideGitError("not a git repository")
    if "dubious ownership" in said:
        remedy = re.search(r"git config --global --add safe\.directory .*", said)
        return VersionError(
            f"{project}: git does not read a repository that belongs to another user "
            "(dubious ownership).\n"
            f"  If you trust it, run: {remedy[0] if remedy else 'git status'}"
        )
    reason = next((line for line in said.splitlines() if line.startswith("fatal: ")), said)
    return VersionError(f"{project}: git cannot read it: {reason.removeprefix('fatal: ').strip()}")
