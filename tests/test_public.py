"""The Python interface: sorted, complete, instant to import, and enough for the whole story."""

import subprocess
import sys

import vcmp
from vcmp.gates import NonInferiority
from vcmp.scorers import Mentions


def test_public_names_are_sorted_and_exist():
    assert vcmp.__all__ == sorted(vcmp.__all__)
    assert dir(vcmp) == vcmp.__all__
    for name in vcmp.__all__:
        assert getattr(vcmp, name).__doc__, name


def test_importing_vcmp_imports_nothing_else():
    code = "import sys; import vcmp; print(sorted(m for m in sys.modules if m.startswith('vcmp')))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['vcmp']"


def test_a_comparison_needs_no_configuration():
    """What the command line does, in eight lines of Python."""
    cases = tuple(
        vcmp.Case(
            id=f"c{n}", inputs={"question": f"{n}?"}, expectations={"expected_facts": ["yes"]}
        )
        for n in range(200)
    )
    dataset = vcmp.Dataset(name="numbers", cases=cases)
    scorers = {"facts": Mentions()}
    plans = [
        vcmp.build_plan(agent, dataset, scorers, variant=vcmp.Variant(name=name))
        for name, agent in {"old": lambda question: "yes", "new": lambda question: "Yes!"}.items()
    ]
    policy = vcmp.Policy(name="mine", rules=(NonInferiority("facts"),))

    old, new = vcmp.evaluate(plans)

    conclusion = vcmp.conclude(old, [new], policy)

    assert (conclusion.outcome, conclusion.best) == ("pass", "new")
    assert "`new`" in vcmp.render(conclusion)
