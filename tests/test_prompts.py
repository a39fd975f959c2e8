"""Prompts in template files: what they may do, and what each mistake says."""

from pathlib import Path

import pytest

from vcmp.errors import ConfigError
from vcmp.prompts import render

PROMPT = Path("conf/prompts/x.j2")


@pytest.fixture
def write(tmp_path):
    """Write a file of the project."""

    def write(text, path=PROMPT):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")

    return write


def message(folder, path=PROMPT, **values):
    with pytest.raises(ConfigError) as caught:
        render(path, values, folder=folder)
    return str(caught.value)


def test_values_are_filled_in(tmp_path, write):
    write("You work for {{ brand }}.\n{% if polite %}\nBe polite.\n{% endif %}\n")

    prompt = render(PROMPT, {"brand": "<Acme> & Sons", "polite": True}, folder=tmp_path)

    assert prompt == "You work for <Acme> & Sons.\nBe polite.\n"


def test_an_absolute_path_is_fine(tmp_path, write):
    write("Be polite.\n")

    assert render(tmp_path / PROMPT, {}, folder=tmp_path) == "Be polite."


def test_a_prompt_includes_others_of_the_project(tmp_path, write):
    """By a path from the project or from its own folder."""
    write("{% include 'conf/prompts/tone.j2' %} {% include 'tone.j2' %}")
    write("Be {{ tone }}.", Path("conf/prompts/tone.j2"))

    assert render(PROMPT, {"tone": "kind"}, folder=tmp_path) == "Be kind. Be kind."


def test_an_undefined_name_is_reported_with_its_line(tmp_path, write):
    write("Hello.\n\nYou work for {{ brand }}.\n")

    assert message(tmp_path) == (
        "conf/prompts/x.j2:3: 'brand' is undefined. Give it a value: agent.prompt_values.brand=…"
    )


def test_a_misspelt_name_gets_the_nearest(tmp_path, write):
    write("{{ brnad }}")

    assert message(tmp_path, brand="Acme") == (
        "conf/prompts/x.j2:1: 'brnad' is undefined. Did you mean 'brand'?"
    )


def test_a_mistake_in_an_included_file_is_reported_there(tmp_path, write):
    write("{% include 'conf/prompts/tone.j2' %}")
    write("\n{{ tone }}", Path("conf/prompts/tone.j2"))

    assert message(tmp_path) == (
        "conf/prompts/tone.j2:2: 'tone' is undefined. Give it a value: agent.prompt_values.tone=…"
    )


def test_broken_syntax_is_reported_with_its_line(tmp_path, write):
    write("Hello.\n{% if polite %}\n")

    assert message(tmp_path).startswith("conf/prompts/x.j2:2: Unexpected end of template.")
    assert "\n" not in message(tmp_path)


def test_a_wrong_expression_is_reported_with_its_line(tmp_path, write):
    write("\n{{ 1 / zero }}")

    assert message(tmp_path, zero=0) == "conf/prompts/x.j2:2: division by zero"


def test_a_missing_file_is_reported_with_the_nearest(tmp_path, write):
    write("Hello.", Path("conf/prompts/empathetic.j2"))

    assert message(tmp_path, Path("conf/prompts/empathtic.j2")) == (
        "conf/prompts/empathtic.j2: no such prompt template. Did you mean 'empathetic.j2'?"
    )


def test_a_missing_file_unlike_any_other_is_reported_with_what_there_is(tmp_path, write):
    write("Hello.", Path("conf/prompts/empathetic.j2"))

    assert message(tmp_path) == (
        "conf/prompts/x.j2: no such prompt template. There: empathetic.j2."
    )


def test_a_missing_folder_is_reported(tmp_path):
    assert message(tmp_path) == "conf/prompts/x.j2: no such prompt template."


def test_a_missing_include_is_reported_with_its_line(tmp_path, write):
    write("\n{% include 'tone.j2' %}")

    assert message(tmp_path) == ("conf/prompts/x.j2:2: there is no template 'tone.j2' to include")


@pytest.mark.parametrize("path", ["../secret.j2", "link.j2"])
def test_a_file_outside_the_project_is_refused(tmp_path, path):
    """Neither by `..` nor through a link."""
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "secret.j2").write_text("secret")
    (project / "link.j2").symlink_to(tmp_path / "secret.j2")

    assert message(project, Path(path)) == (
        f"agent.prompt: {path!r} is outside of the project. Keep prompt templates inside it."
    )


@pytest.mark.parametrize("path", ["../secret.j2", "link.j2", "/etc/passwd"])
def test_an_include_from_outside_the_project_is_not_found(tmp_path, path):
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "secret.j2").write_text("secret")
    (project / "link.j2").symlink_to(tmp_path / "secret.j2")
    (project / "x.j2").write_text(f"{{% include '{path}' %}}")

    assert message(project, Path("x.j2")) == f"x.j2:1: there is no template {path!r} to include"


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__",
        "''.__class__.__mro__[1].__subclasses__()",
        "values.append(1)",
        "'{0.__class__}'.format(1)",
        "cycler.__init__.__globals__",
    ],
)
def test_a_template_stays_in_its_sandbox(tmp_path, write, expression):
    write("{{ " + expression + " }}")

    assert "unsafe" in message(tmp_path, values=[])


def test_an_endless_prompt_is_stopped(tmp_path, write):
    """Well before it fills the memory."""
    write("{% for a in range(9999) %}{% for b in range(9999) %}word {% endfor %}{% endfor %}")

    assert message(tmp_path) == (
        "conf/prompts/x.j2: gives more than 100,000 characters. Make it shorter"
    )


def test_a_file_that_is_not_utf_8_is_reported(tmp_path, write):
    write("")
    (tmp_path / PROMPT).write_bytes(b"caf\xe9")

    assert message(tmp_path) == "conf/prompts/x.j2: is not UTF-8. Save it as UTF-8"
