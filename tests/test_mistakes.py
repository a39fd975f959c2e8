"""Every mistake a user can make in a configuration: what the screen says, to the letter."""

from pathlib import Path

import pytest

from tests.conftest import ROOT, Run

ANNOUNCED = (
    "answered by: scripted demo, no language model was called\n1 version × 135 cases of support\n"
)
FIRST = "the baseline, git:mian, is evaluated first\n"


def mistake(vcmp: Run, *arguments: str, said: str = "", env: dict[str, str] | None = None) -> str:
    """What stderr says of a command line that must be refused before anything is sent."""
    done = vcmp(*arguments, env=env)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == said
    assert len(done.stderr.splitlines()) <= 3
    assert done.stderr.startswith("vcmp: ")
    return done.stderr.removeprefix("vcmp: ").rstrip("\n")


def write(project: Path, path: str, text: str) -> None:
    (project / path).write_text(text, encoding="utf-8")


def test_unknown_choice_names_the_nearest_file_and_all_there_are(vcmp: Run):
    assert mistake(vcmp, "agent=empathetc") == (
        "agent=empathetc: there is no conf/agent/empathetc.yaml. Did you mean 'empathetic'?\n"
        "  There is basic, concise, empathetic, orders, plain, responses, traced."
    )


def test_a_choice_that_is_a_number_is_to_be_quoted(vcmp: Run):
    assert mistake(vcmp, "dataset=2024") == (
        "a file of conf/ is chosen by its name, and one of these is of type int.\n"
        "  Quote it: 'dataset=\"2024\"'"
    )
    assert mistake(vcmp, 'dataset="2024"').startswith(
        "dataset=2024: there is no conf/dataset/2024.yaml."
    )


def test_misspelt_agent_parameter_names_the_nearest(vcmp: Run):
    assert mistake(vcmp, "agent=basic", "agent.temprature=0.1") == (
        "agent=basic: agents.support.SupportAgent has no parameter 'temprature'."
        " Did you mean 'temperature'?\n"
        "  It takes prompt, model, temperature, max_tokens, api."
    )


def test_misspelt_key_names_the_nearest(vcmp: Run):
    assert mistake(vcmp, "repets=3") == "repets: vcmp has no such key. Did you mean 'repeats'?"
    assert mistake(vcmp, "+repets=3") == "repets: vcmp has no such key. Did you mean 'repeats'?"
    assert mistake(vcmp, "gate.alhpa=0.1") == (
        "gate.alhpa: vcmp has no such key. Did you mean 'gate.alpha'?"
    )


def test_wrong_type_of_a_key(vcmp: Run):
    assert mistake(vcmp, "repeats=three") == (
        "repeats: 'three' is not a whole number. Correct the value."
    )


def test_wrong_type_of_an_agent_parameter(vcmp: Run):
    assert mistake(vcmp, "agent.temperature=warm") == (
        "agent=basic: temperature='warm' is not a number. Correct the value."
    )


def test_missing_value(vcmp: Run):
    assert mistake(vcmp, "provider=compatible") == (
        "provider.base_url has no value (provider=compatible). Give it one: provider.base_url=…"
    )


def test_unset_environment_variable(vcmp: Run, project: Path):
    write(project, "conf/agent/env.yaml", "defaults: [basic]\nmodel: ${oc.env:AGENT_MODEL}\n")

    assert mistake(vcmp, "agent=env") == (
        "agent.model: environment variable 'AGENT_MODEL' is not set."
        " Set it, or give a default: ${oc.env:AGENT_MODEL,default}"
    )


def test_missing_key_of_the_provider(vcmp: Run):
    assert mistake(vcmp, "provider=openai") == (
        "OPENAI_API_KEY is not set, and provider=openai needs it.\n"
        "  Set it, or try without a key: provider=scripted"
    )


def test_broken_yaml_is_shown_by_line_and_column(vcmp: Run, project: Path):
    write(project, "conf/agent/broken.yaml", "prompt: [unclosed\nmodel: x\n")

    assert mistake(vcmp, "agent=broken") == (
        "conf/agent/broken.yaml:2:6: not YAML (did not find expected ',' or ']'). Mend that line."
    )


def test_yml_file_is_told_to_be_renamed(vcmp: Run, project: Path):
    (project / "conf/agent/basic.yaml").rename(project / "conf/agent/basic.yml")

    assert mistake(vcmp, "agent=basic") == (
        "conf/agent/basic.yml: Hydra reads .yaml only. Rename it."
    )


def test_unknown_target_names_the_nearest(vcmp: Run, project: Path):
    write(project, "conf/agent/typo.yaml", "_target_: agents.support.SuportAgent\nprompt: Hi\n")

    assert mistake(vcmp, "agent=typo") == (
        "agent=typo: 'agents.support' has no 'SuportAgent'. Did you mean 'SupportAgent'?"
    )


def test_unknown_module_names_the_nearest(vcmp: Run, project: Path):
    write(project, "conf/agent/typo.yaml", "_target_: agents.suport.SupportAgent\nprompt: Hi\n")

    assert mistake(vcmp, "agent=typo") == (
        "agent=typo: there is no module 'agents.suport'. Did you mean 'agents.support'?"
    )


def test_target_outside_of_the_project_is_not_called(vcmp: Run, project: Path):
    write(project, "conf/agent/shell.yaml", "_target_: os.system\ncommand: touch owned\n")

    assert mistake(vcmp, "agent=shell") == (
        "agent=shell: _target_ 'os.system' is outside of the project and of vcmp.\n"
        "  If its code may run here, say so in conf/config.yaml: trust: [os]"
    )
    assert not (project / "owned").exists()


def test_package_outside_of_the_project_is_not_even_imported(vcmp: Run, project: Path):
    """Looking for a module imports the packages above it."""
    elsewhere = project.parent / "elsewhere/foreign"
    elsewhere.mkdir(parents=True)
    (elsewhere / "__init__.py").write_text("open('owned', 'w').close()\n", encoding="utf-8")
    (elsewhere / "mod.py").write_text("class A: ...\n", encoding="utf-8")
    write(project, "conf/agent/foreign.yaml", "_target_: foreign.mod.A\n")

    text = mistake(vcmp, "agent=foreign", env={"PYTHONPATH": f"{ROOT}:{elsewhere.parent}"})

    assert text.startswith("agent=foreign: _target_ 'foreign.mod.A' is outside of the project")
    assert not (project / "owned").exists()


def test_agent_module_that_cannot_be_imported(vcmp: Run, project: Path):
    write(project, "agents/broken.py", "import json\nimport langchian\n\nclass Agent: ...\n")
    write(project, "conf/agent/broken.yaml", "_target_: agents.broken.Agent\n")

    assert mistake(vcmp, "agent=broken") == (
        "agent=broken: importing 'agents.broken' fails (ModuleNotFoundError: No module named"
        " 'langchian', agents/broken.py:2). Mend that module."
    )


def test_misspelt_primary_metric_names_the_nearest(vcmp: Run):
    """It would rank nothing, in silence; `plan` refuses it as well, and nothing is sent."""
    told = (
        "gate=release: primary 'mention_facts' is neither a scorer nor a measurement."
        " Did you mean 'mentions_facts'?\n"
        "  The scorers are mentions_facts, empathy, polite, concise, no_refusal."
    )

    assert mistake(vcmp, "gate.primary=[mention_facts]") == told
    assert (
        mistake(vcmp, "plan", "gate.primary=[polite/mean,mention_facts]", "tracking=none") == told
    )


def test_misspelt_rule_is_counted(vcmp: Run, project: Path):
    write(
        project,
        "conf/gate/typo.yaml",
        "rules:\n  - {_target_: vcmp.gates.NoFailures}\n"
        "  - {_target_: vcmp.gates.Treshold, metric: polite, min: 0.8}\n",
    )

    assert mistake(vcmp, "gate=typo") == (
        "gate=typo, rule 2: 'vcmp.gates' has no 'Treshold'. Did you mean 'Threshold'?"
    )


def test_baseline_that_is_not_in_the_sweep(vcmp: Run):
    assert mistake(vcmp, "agent=empathetic,concise", "--multirun") == (
        "baseline 'basic' is not in this sweep, which has 'empathetic', 'concise'.\n"
        "  Add it (agent=basic,…), choose another (baseline=…) or none (baseline=null)."
    )


def test_several_values_without_multirun(vcmp: Run):
    assert mistake(vcmp, "agent=basic,empathetic") == (
        "agent=basic,empathetic: several values make a sweep. Add --multirun"
    )


def test_key_on_the_command_line_is_refused_and_not_repeated(vcmp: Run, project: Path):
    for argument in ("agent.api_key=abc", "agent.model=sk-abcdefghijklmnop1234"):
        text = mistake(vcmp, argument)
        assert text == (
            f"{argument.split('=')[0]}: looks like a key, and the command line is written to"
            " outputs/ and reports.\n"
            "  Put it into an environment variable and name that: provider.api_key_env=NAME"
        )
    assert not list((project / "outputs").glob("*/*"))


def test_no_conf_folder(vcmp: Run, project: Path):
    (project / "conf").rename(project / "config")

    assert mistake(vcmp, "agent=basic") == (
        "no conf/ folder in 'project'.\n"
        "  Change to your project's folder, or name another: --config-path FOLDER"
    )


def test_alias_bomb_is_refused_at_once(vcmp: Run, project: Path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    write(project, "conf/agent/bomb.yaml", "\n".join(lines))

    assert mistake(vcmp, "agent=bomb") == (
        "conf/agent/bomb.yaml: more than 50,000 values once its aliases (*name) are written out.\n"
        "  Write the values without nested aliases."
    )


def test_hydra_callbacks_are_refused(vcmp: Run, project: Path):
    text = "hydra:\n  callbacks:\n    x: {_target_: os.system, command: touch owned}\n"
    config = (project / "conf/config.yaml").read_text(encoding="utf-8")
    write(project, "conf/config.yaml", f"{config}\n{text}")

    assert mistake(vcmp) == (
        "conf/config.yaml: hydra.callbacks runs code before anything is checked. Remove it."
    )
    assert not (project / "owned").exists()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("conf/hydra/callbacks/evil.yaml", "x: {_target_: os.system, command: touch owned}\n"),
        ("conf/agent/evil.yaml", "# @package hydra.callbacks\nx: {_target_: os.system}\n"),
        ("conf/agent/evil.yaml", "defaults:\n  - override /hydra/callbacks: evil\n"),
    ],
)
def test_callbacks_are_refused_by_any_way_in(vcmp: Run, project: Path, path: str, text: str):
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    write(project, path, text)

    assert mistake(vcmp) == (
        f"{path}: hydra.callbacks runs code before anything is checked. Remove it."
    )


def test_target_reached_through_a_trusted_module_is_not_called(vcmp: Run, project: Path):
    text = "_target_: vcmp.cli.shutil.copyfile\nsrc: conf/config.yaml\ndst: owned\n"
    write(project, "conf/agent/copy.yaml", text)

    assert mistake(vcmp, "agent=copy") == (
        "agent=copy: _target_ 'vcmp.cli.shutil.copyfile' is no class for configurations.\n"
        "  vcmp has some in vcmp.gates, vcmp.judges, vcmp.scorers."
    )


@pytest.mark.parametrize("body", ["import sys\nsys.exit(0)\n", "class A:\n    def __init__(self):\n"
                                  "        raise SystemExit(0)\n"])  # fmt: skip
def test_agent_that_leaves_the_process_does_not_pass(vcmp: Run, project: Path, body: str):
    write(project, "agents/leaves.py", body)
    write(project, "conf/agent/leaves.yaml", "_target_: agents.leaves.A\n")

    assert "SystemExit: 0" in mistake(vcmp, "agent=leaves")


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("concurrency=0", "concurrency=0 leaves no room to run. Give it more than 0."),
        ("case_deadline_s=-1", "case_deadline_s=-1.0 leaves no room to run. Give it more than 0."),
        ("repeats=0", "repeats=0 asks nothing. Give it 1 or more."),
    ],
)
def test_numbers_that_would_ask_nothing(vcmp: Run, argument: str, message: str):
    assert mistake(vcmp, argument) == message


def test_inputs_that_the_agent_does_not_take(vcmp: Run, project: Path):
    write(project, "cases.csv", "id,question,expected_facts\na,Where is it?,here\n")

    assert mistake(vcmp, "dataset.path=cases.csv") == (
        "agent=basic: case 'a' of support has the inputs question, expected_facts, but the agent"
        " takes question.\n"
        "  Rename the inputs, or the agent's parameters; what it must not see belongs into"
        " expectations."
    )


def test_password_in_an_address_is_refused(vcmp: Run):
    text = mistake(vcmp, "provider=compatible", "provider.base_url=http://me:hunter2@127.0.0.1/v1")

    assert text.startswith("provider.base_url: looks like a key")
    assert "hunter2" not in text


def test_values_for_a_prompt_that_is_no_template(vcmp: Run):
    assert mistake(vcmp, "agent.prompt_values.tone=warm") == (
        "agent.prompt_values: only a template has values. Name one: agent.prompt=….j2"
    )


def test_config_path_without_a_folder(vcmp: Run):
    assert mistake(vcmp, "--config-path") == (
        "--config-path: names no folder. Write --config-path FOLDER"
    )


def test_outputs_that_cannot_be_written(vcmp: Run, project: Path):
    write(project, "outputs", "a file")

    text = mistake(vcmp)

    assert text.endswith(": File exists. Make room or give access, and run it again.")


def test_folder_that_is_no_sweep(vcmp: Run):
    assert mistake(vcmp, "conclude", "outputs/nope") == (
        "outputs/nope: is no folder of a sweep. Give one: outputs/<sweep>"
    )


def test_word_that_is_no_command(vcmp: Run):
    assert mistake(vcmp, "version") == (
        "'version' is neither a command nor an override. Did you mean 'versions'?\n"
        "  Commands: conclude, gate, judge-check, plan, resume, selfcheck, sync, ui, versions."
        " An override is key=value: agent=basic"
    )


def test_wrong_override_syntax(vcmp: Run):
    assert mistake(vcmp, "agent.prompt=Hello, you (") == (
        "agent.prompt=Hello, you (: not an override. Write key=value, and quote what is special:"
        " 'key=\"a, b\"'"
    )


def test_sweep_over_what_versions_must_share(vcmp: Run):
    assert mistake(vcmp, "agent=basic,concise", "concurrency=1,2", "--multirun") == (
        "concurrency: differs between the jobs of this sweep, whose versions share one"
        " concurrency.\n"
        "  Sweep over agent=… or agent.<parameter>=…, and run the rest one by one."
    )


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            ['{"id": "a", "inputs": {"q": "x"}}', '{"id": "a", "inputs": {"q": "y"}}'],
            "cases.jsonl:2: case id 'a' is used twice (first on line 1);"
            " results are joined on it, so ids must be unique",
        ),
        ([], 'cases.jsonl: no cases. Add at least one line: {"inputs": {"question": "…"}}'),
    ],
)
def test_dataset_mistakes(vcmp: Run, project: Path, lines: list[str], message: str):
    write(project, "cases.jsonl", "\n".join(lines))

    assert mistake(vcmp, "dataset.path=cases.jsonl") == message


def test_all_bad_lines_of_a_dataset_are_listed(vcmp: Run, project: Path):
    write(project, "cases.jsonl", '{"inputs": {"q": "x"}}\n{"inputs"\n{"input": {"q": "y"}}\n[]\n')

    text = mistake(vcmp, "dataset.path=cases.jsonl")

    assert text.startswith("cases.jsonl: 3 ")
    assert ":2:" in text
    assert ":3:" in text
    assert ":4:" in text


@pytest.mark.parametrize(
    "arguments",
    [
        ("--multirun", "agent=basic,empathetic", "repeats=zero"),
        ("agent=basic,empathetic", "--multirun", "repeats=zero"),
        ("agent=basic,empathetic", "repeats=zero", "-m"),
    ],
)
def test_multirun_may_stand_anywhere(vcmp: Run, arguments: tuple[str, ...]):
    """Hydra's own parser refuses overrides on both sides of an option."""
    assert mistake(vcmp, *arguments) == "repeats: 'zero' is not a whole number. Correct the value."


def test_a_mistake_leaves_no_folder_behind(vcmp: Run, project: Path):
    mistake(vcmp, "agent.temprature=1")

    assert not [path for path in (project / "outputs").glob("*") if path.is_dir()]


def test_baseline_revision_that_git_does_not_have(vcmp: Run):
    assert mistake(vcmp, "baseline=git:mian", "tracking=none", said=f"{ANNOUNCED}{FIRST}") == (
        "baseline=git:mian: git has no revision 'mian' here.\n"
        "  Correct the name, or fetch it first: git fetch origin mian"
    )


def test_baseline_version_that_is_not_recorded(vcmp: Run):
    assert mistake(vcmp, "baseline=latest", "tracking=none", said=ANNOUNCED) == (
        "baseline=latest: tracking=none has no such version. See what it has: vcmp versions"
    )


def test_launcher_that_takes_jobs_elsewhere(vcmp: Run):
    """Versions in processes of their own would not be interleaved, and nobody would conclude."""
    assert mistake(vcmp, "agent=basic,empathetic", "hydra/launcher=joblib", "--multirun") == (
        "hydra/launcher: takes the jobs to other processes, and vcmp runs all versions of a sweep\n"
        "  together, case by case. Remove it; concurrency=… cases run at once."
    )
