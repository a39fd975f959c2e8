"""The choices in conf/scorers, composed by Hydra as the main job does."""

from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import OmegaConf

import vcmp
from vcmp.scorers import adapt, card_of
from vcmp.types import Case

CONF = Path(vcmp.__file__).parents[1] / "conf"
RULES = ["mentions_facts", "empathy", "polite", "concise", "no_refusal"]
JUDGES = ["relevance_to_query", "support_guidelines", "correctness"]
CASE = Case(
    id="track-package",
    inputs={"question": "How can I track my package?"},
    expectations={"expected_facts": ["tracking link", "e-mail"]},
)


def composed(choice: str) -> dict[str, Any]:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = OmegaConf.to_container(compose(overrides=[f"+scorers={choice}"]))
    assert isinstance(config, dict)
    return {name: instantiate(node, _convert_="all") for name, node in config["scorers"].items()}


def test_support_tells_a_good_answer_from_a_curt_one():
    scorers = {name: adapt(scorer) for name, scorer in composed("support").items()}
    good = "I'm sorry for the wait! Please open the tracking link in our e-mail."

    assert list(scorers) == RULES
    assert [scorer(CASE, good).value for scorer in scorers.values()] == [1, 1, 1, 1, 1]
    assert [scorer(CASE, "No.").value for scorer in scorers.values()] == [0, 0, 0, 1, 1]


def test_judged_adds_judges_to_the_rules():
    """A gate that names a rule finds it under either choice."""
    cards = {name: card_of(scorer) for name, scorer in composed("judged").items()}

    assert list(cards) == RULES + JUDGES
    assert [name for name, card in cards.items() if card.judge] == JUDGES
    assert {cards[name].model for name in JUDGES} == {"gpt-4o-mini"}


@pytest.mark.parametrize("path", sorted((CONF / "scorers").glob("*.yaml")), ids=lambda p: p.stem)
def test_the_first_line_says_what_the_choice_is(path):
    assert path.read_text().startswith("# ")
