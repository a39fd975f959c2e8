"""The table of versions, and the numbers of one."""

import io
from dataclasses import replace

from rich.console import Console

from vcmp import listing
from vcmp.tracking import RecordedVersion, TraceSummary

VERSION = RecordedVersion(
    name="app-basic",
    model_id="m-1",
    created_s=0.0,
    metrics={"polite/mean": 0.5},
    dataset="support",
    dataset_digest="1234abcd",
    n_cases=135,
)


def screen() -> Console:
    return Console(file=io.StringIO(), width=1000)


def test_a_version_of_another_dataset_is_marked():
    """Its number stands in the same column, and means something else."""
    console = screen()
    smoke = RecordedVersion(
        name="app-smoke", model_id="m-2", created_s=0.0, n_cases=2, comparable=False
    )

    listing.show_versions([VERSION, smoke], "polite", console)

    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines[0] == "best by polite: app-basic (dataset support 1234abcd, 135 cases)"
    assert lines[2].endswith("support 1234abcd")
    assert lines[3].endswith("*")
    assert lines[4] == "* measured on another dataset: not to be compared with the others"


def test_the_anchor_is_marked_and_pins_are_told():
    """The name is what the next command line takes."""
    console = screen()

    listing.show_versions([replace(VERSION, anchor=True)], "", console)
    listing.show_pinned(VERSION, console)
    listing.show_unpinned(VERSION, console)
    listing.show_unpinned(None, console)

    heading, row, *told = console.file.getvalue().splitlines()
    assert "(anchor)" not in heading
    assert row.startswith("app-basic (anchor)")
    assert told == [
        "pinned app-basic. Compare with it: baselines=[previous,anchor]",
        "unpinned app-basic",
        "no version is pinned",
    ]


def test_traces_say_of_which_evaluation_they_are():
    """A version may have been evaluated many times."""
    console = screen()

    listing.show_traces(
        TraceSummary(version=VERSION, traces=135, errors=0, evaluations=4, traces_altogether=413),
        console,
    )

    assert (
        "135 of the newest complete evaluation; 413 altogether, of 4 evaluations"
        in console.file.getvalue()
    )
