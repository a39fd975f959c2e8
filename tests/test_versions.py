"""Versions: a name says which code ran, and two trees share a name only when they are equal."""

import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from vcmp import versions
from vcmp.errors import VersionError
from vcmp.types import Revision
from vcmp.versions import describe, name, revision, without_credentials

LOCAL = "versions are called …-local-dev and cannot be traced to code"


@pytest.fixture(autouse=True)
def _no_other_configuration(monkeypatch, tmp_path):
    """Neither the user's git configuration nor a repository around the temporary folder counts."""
    for key in [key for key in os.environ if key.startswith("GIT_")]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", os.devnull)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "A. Tester")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "a@example.org")


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *command], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def put(path: Path, text: str = "x\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def dirty(project: Path, *sources: Path) -> str:
    found = revision(project, sources)
    assert found is not None
    return found.dirty


@pytest.fixture
def project(tmp_path) -> Path:
    """A clean clone of nothing: one commit with an agent and a config."""
    folder = tmp_path / "project"
    put(folder / "agents" / "support.py", "KIND = True\n\nPROMPT = 'Be kind.'\n")
    put(folder / "conf" / "config.yaml")
    put(folder / ".gitignore", "outputs/\n")
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "project")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=Begin")
    return folder


# Names


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (Revision(commit="5294268a" + "0" * 32), "support-basic-git-5294268a"),
        (
            Revision(commit="5294268a" + "0" * 32, dirty="c0ffee" + "0" * 58),
            "support-basic-git-5294268a-dirty-c0ffee",
        ),
        (None, "support-basic-local-dev"),
    ],
)
def test_a_name_says_app_variant_and_code(found, expected):
    assert name("support", "basic", found) == expected


def test_names_hold_only_what_mlflow_accepts():
    assert name("my app/1.0", "gpt-4.1:mini%", None) == "my_app_1_0-gpt-4_1_mini_-local-dev"


def test_names_of_other_scripts_stay_apart():
    """Two variants under one name would be recorded as one version."""
    one, two = name("app", "短い", None), name("app", "長い", None)

    assert one != two
    assert re.fullmatch(r"app-__[0-9a-f]{6}-local-dev", one)


# Revisions


def test_clean_tree(project):
    found, note = describe(project)

    assert found == Revision(commit=git(project, "rev-parse", "HEAD"), branch="main")
    assert note == ""


def test_sub_folder_of_a_repository(project):
    """In a monorepo the project is a folder, and its conf/ and agents/ lie there."""
    put(project / "apps" / "support" / "conf" / "config.yaml")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message=Add an app")
    folder = project / "apps" / "support"

    assert dirty(folder) == ""
    put(folder / "conf" / "new.yaml")
    assert dirty(folder) != ""


def test_detached_head_has_no_branch(project):
    """The usual state of a checkout in CI."""
    git(project, "checkout", "--quiet", "--detach")

    assert describe(project) == (Revision(commit=git(project, "rev-parse", "HEAD")), "")


def test_worktree(project, tmp_path):
    git(project, "worktree", "add", "--quiet", "-b", "side", str(tmp_path / "side"))

    found = revision(tmp_path / "side")

    assert found == Revision(commit=git(project, "rev-parse", "HEAD"), branch="side")
    put(tmp_path / "side" / "agents" / "support.py", "PROMPT = ''\n")
    assert dirty(tmp_path / "side") != ""
    assert dirty(project) == ""


def test_shallow_clone(project, tmp_path):
    git(project, "commit", "--quiet", "--allow-empty", "--message=Go on")
    git(tmp_path, "clone", "--quiet", "--depth=1", f"file://{project}", "shallow")

    found = revision(tmp_path / "shallow")

    assert found == Revision(
        commit=git(project, "rev-parse", "HEAD"), branch="main", remote_url=f"file://{project}"
    )


def test_folder_names_with_signs(project, tmp_path):
    odd = tmp_path / "a [b] *ü\n"
    project.rename(odd)
    put(odd / "conf" / "ü\n*.yaml")

    assert dirty(odd) != ""


# What is dirty


def test_a_changed_tracked_file_is_dirty_wherever_it_is(project):
    """An agent may import from anywhere in the repository."""
    put(project / "library" / "faq.py", "1\n")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message=Add a library")

    put(project / "library" / "faq.py", "2\n")

    assert re.fullmatch("[0-9a-f]{64}", dirty(project))


def test_two_changes_have_two_digests_and_undoing_cleans(project):
    agent = project / "agents" / "support.py"
    original = agent.read_text()
    digests = set()
    for text in ("one\n", "two\n"):
        put(agent, text)
        digests |= {dirty(project), dirty(project)}

    put(agent, original)

    assert len(digests) == 2
    assert dirty(project) == ""


def test_a_change_counts_alike_before_and_after_git_add(project):
    put(project / "agents" / "support.py", "new\n")
    before = dirty(project)

    git(project, "add", ".")

    assert dirty(project) == before


def test_deletions_modes_and_binary_content_count(project):
    put(project / "conf" / "data.bin").write_bytes(b"\0one")
    git(project, "add", ".")
    git(project, "commit", "--quiet", "--message=Add data")
    agent = project / "agents" / "support.py"

    (project / "conf" / "data.bin").write_bytes(b"\0two")
    binary = dirty(project)
    agent.chmod(agent.stat().st_mode | stat.S_IXUSR)
    mode = dirty(project)
    agent.unlink()
    deleted = dirty(project)

    assert len({"", binary, mode, deleted}) == 4


def test_a_touched_file_is_not_dirty_and_nothing_is_written(project):
    """Runs that start together would meet on the lock of the index."""
    index = project / ".git" / "index"
    os.utime(project / "agents" / "support.py", (1, 1))
    before = index.read_bytes()

    assert dirty(project) == ""
    assert index.read_bytes() == before


@pytest.mark.parametrize("place", ["conf/agent/new.yaml", "agents/new.py"])
def test_an_untracked_config_or_agent_is_dirty_by_its_content(project, place):
    """A variant that was never added to git is the usual case while one is written."""
    put(project / place, "one\n")
    one = dirty(project)
    put(project / place, "two\n")

    assert "" not in {one, dirty(project)}
    assert one != dirty(project)


def test_renaming_an_untracked_file_counts(project):
    new = put(project / "conf" / "one.yaml")
    one = dirty(project)

    new.rename(project / "conf" / "two.yaml")

    assert dirty(project) != one


def test_links_count_by_where_they_point(project):
    link = project / "conf" / "link.yaml"
    link.symlink_to("one.yaml")
    one = dirty(project)
    link.unlink()
    link.symlink_to("two.yaml")

    assert dirty(project) not in ("", one)


def test_a_repository_inside_agents_counts_by_its_name(project):
    git(project, "init", "--quiet", "agents/inner")
    put(project / "agents" / "inner" / "a.py")

    assert dirty(project) != ""


@pytest.mark.parametrize(
    "place", ["notes.txt", "tests/new.py", "outputs/report.md", "agents/__pycache__/support.pyc"]
)
def test_other_untracked_files_do_not_count(project, place):
    """A report, a note or a cache does not change what an agent does."""
    put(project / place)

    assert dirty(project) == ""


def test_ignored_files_do_not_count_even_as_sources(project):
    put(project / ".gitignore", "outputs/\nagents/local.py\n")
    git(project, "commit", "--quiet", "--all", "--message=Ignore")

    source = put(project / "agents" / "local.py")

    assert dirty(project, source) == ""


def test_untracked_sources_count(project, tmp_path):
    """An agent that imports a helper nobody has added runs code no commit holds."""
    helper = put(project / "helper.py", "1\n")
    elsewhere = put(tmp_path / "installed.py")
    vendored = put(project / ".venv" / "lib" / "site-packages" / "openai.py")

    assert dirty(project, helper) != ""
    assert dirty(project, elsewhere, vendored, project / "agents" / "support.py") == ""
    assert dirty(project) == ""


def test_the_digest_does_not_depend_on_the_user_s_settings(project, tmp_path, monkeypatch):
    put(project / "agents" / "support.py", "KIND = True\n\nPROMPT = ''\n")
    put(project / "conf" / "new.yaml")
    plain = dirty(project)
    settings = put(
        tmp_path / "gitconfig",
        "[diff]\nnoprefix = true\ncontext = 0\nrenames = copies\nexternal = false\n"
        "algorithm = histogram\nmnemonicPrefix = true\n[color]\nui = always\n"
        "[core]\nquotePath = false\nabbrev = 5\n[status]\nshowUntrackedFiles = no\n",
    )

    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")

    assert dirty(project) == plain


def test_inside_a_git_hook_of_another_repository(project, tmp_path, monkeypatch):
    """Git sets these for hooks, and they beat the folder one asks about."""
    git(tmp_path, "init", "--quiet", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other" / ".git" / "index"))

    found = revision(project)

    assert found is not None
    assert (found.branch, found.dirty) == ("main", "")


# No revision


def test_outside_git(tmp_path):
    assert describe(tmp_path) == (None, f"not a git repository: {LOCAL}")


def test_before_the_first_commit(tmp_path):
    git(tmp_path, "init", "--quiet")

    assert describe(tmp_path) == (None, f"the git repository has no commit yet: {LOCAL}")


def test_without_git(project, monkeypatch, tmp_path):
    """A container need not have it."""
    monkeypatch.setenv("PATH", str(tmp_path))

    assert describe(project) == (None, f"git is not installed: {LOCAL}")


def test_a_project_that_the_repository_around_it_ignores(project):
    """The commit around it says nothing about it."""
    put(project / "outputs" / "copy" / "conf" / "config.yaml")

    assert describe(project / "outputs" / "copy") == (
        None,
        f"ignored by the git repository around it: {LOCAL}",
    )


def test_a_project_tracked_in_spite_of_being_ignored(project):
    put(project / "outputs" / "copy" / "conf" / "config.yaml")
    git(project, "add", "--force", ".")
    git(project, "commit", "--quiet", "--message=Add a copy")

    assert describe(project / "outputs" / "copy")[1] == ""


# Errors


def test_dubious_ownership(project, monkeypatch):
    """What a container meets in a mounted checkout."""
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    with pytest.raises(VersionError) as caught:
        describe(project)
    assert str(caught.value) == (
        f"{project}: git does not read a repository that belongs to another user "
        "(dubious ownership).\n"
        f"  If you trust it, run: git config --global --add safe.directory {project}"
    )


def test_a_repository_git_cannot_read(project):
    put(project / ".git" / "config", "[core\n")

    with pytest.raises(VersionError) as caught:
        describe(project)
    assert str(caught.value) == (
        f"{project}: git cannot read it: bad config line 1 in file .git/config"
    )


def test_an_untracked_file_that_cannot_be_read(project):
    new = put(project / "agents" / "secret.py")
    new.chmod(0)
    if os.access(new, os.R_OK):
        pytest.skip("root reads everything")

    with pytest.raises(VersionError) as caught:
        describe(project)
    assert str(caught.value) == f"{new}: part of the version, but cannot be read. Permission denied"


def test_git_that_does_not_answer(project, monkeypatch, tmp_path):
    stuck = put(tmp_path / "bin" / "git", "#!/bin/sh\nexec /bin/sleep 30\n")
    stuck.chmod(0o755)
    monkeypatch.setenv("PATH", str(stuck.parent))
    monkeypatch.setattr(versions, "TIMEOUT_S", 0.2)

    with pytest.raises(VersionError) as caught:
        describe(project)
    assert str(caught.value) == (
        f"{project}: 'git rev-parse' took more than 0.2 s. Run it there to see why."
    )


# Remotes


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://github.com/a/b.git", "https://github.com/a/b.git"),
        ("https://user:token@github.com/a/b.git", "https://github.com/a/b.git"),
        ("https://token@github.com:8443/a/b?access_token=x#y", "https://github.com:8443/a/b"),
        ("ssh://git@github.com/a/b.git", "ssh://git@github.com/a/b.git"),
        ("ssh://git:secret@host:22/a/b", "ssh://git@host:22/a/b"),
        ("git@github.com:a/b.git", "git@github.com:a/b.git"),
        ("../b", "../b"),
        ("", ""),
    ],
)
def test_remote_urls_lose_their_credentials(url, kept):
    assert without_credentials(url) == kept


def test_a_revision_names_its_remote_without_credentials(project):
    """It is recorded where others read it."""
    git(project, "remote", "add", "origin", "https://me:token@example.org/a/b.git")

    found = revision(project)

    assert found is not None
    assert found.remote_url == "https://example.org/a/b.git"
