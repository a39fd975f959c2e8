"""Hostile texts, written and generated, and conclusions that have them in every place."""

import random
from collections.abc import Iterator
from dataclasses import replace

from tests.reports.test_markdown import everywhere
from tests.reports.test_text import HOSTILE
from vcmp.types import Answerer, Conclusion, Dataset, Evaluation, Finding

COMMANDS = [
    "::add-mask::EVIL",
    "  ::set-output name=EVIL::x",
    "\u3000::error file=EVIL::x",
    "EVIL\r::add-mask::x",
    "EVIL\x0b::add-mask::x\x0c::stop-commands::x",
    "EVIL\x1c::error::\x1d::error::\x1e::error::\x85::error::\u2029::error::x",
    ":\u200d:add-mask::EVIL",
    "##[group]EVIL",
    "EVIL ##[add-path]/tmp",
    "##vso[task.setvariable variable=EVIL]x",
    "##teamcity[buildStop comment='EVIL']",
    "\x1b]8;;https://example.org\x07EVIL\x1b]8;;\x07",
    "\x1b[2J\x1b[1;1HEVIL\x9b31m",
]
HALVES = ["EVIL\udfff\ud800", "\udc00EVIL\x00"]
"""In this order they are no pair, which JSON would make a character of."""
FORMULAS = ["=HYPERLINK(0)EVIL", "+EVIL", "-EVIL", "@EVIL", "\t=EVIL", "'=EVIL", "＝EVIL"]
WRITTEN = [text for text in HOSTILE if text] + COMMANDS + HALVES + FORMULAS
N_GENERATED = 1_000

_FRAGMENTS = [
    *("`", "``", "```", "~~~", "|", "\\", "\\|", "\n", "\n\n", "\r\n", "\r", " ", "    ", "\t"),
    *("<", ">", "</", "<!--", "-->", "<![CDATA[", "]]>", "<?", "&lt;", "&#96;", "&", '"', "'", "="),
    *("<script>", "</code>", "</details>", "<b onclick=x>", "<a href=//e>", "</pre>", "</title>"),
    *("*", "**", "_", "__", "~~", "#", "# ", "> ", "- ", "1. ", "- [x] ", "---", "===", "[", "]("),
    *("![", "]: ", "(//e)", "@team", "#1", "GH-1", "http://e", "www.e.io", "a@b.io", ":+1:", "$$"),
    *("::add-mask::", "##[group]", "+", "=", "-", "@", "\x00", "\x1b[1m", "\x85", "\u2028"),
    *("\u200d", "\u202e", "\ufffe", "\uffff", "\ud800", "\udbff", "\U0001f600"),
    *("{{ 7*7 }}", "{% raw %}"),
]  # fmt: skip


def generated(part: int, n_parts: int) -> Iterator[tuple[str, str]]:
    """One part of the thousand, in pairs: a name and a text. The same ones each time."""
    chance = random.Random(part)
    for _ in range(N_GENERATED // n_parts // 2):
        yield _sprinkle(chance), _sprinkle(chance)


def _sprinkle(chance: random.Random) -> str:
    pieces = chance.choices(_FRAGMENTS, k=chance.randint(1, 8))
    pieces.insert(chance.randint(0, len(pieces)), "EVIL")
    return "".join(pieces)


def conclusion_of(name: str, text: str) -> Conclusion:
    """A conclusion in which every name from data is made of `name` and every text of `text`.

    The shape does not depend on them: `everywhere` has cases, outputs, errors, rationales, tags,
    metrics, prompts, parameters, models, variants, gate, command and notes; here are the rest.
    """
    name, text = f"{name}.", f"{text}\n@more"
    told = everywhere(name, text)
    sides = {side.version.name: _altered(side, name, text) for side in told.evaluations}
    verdicts = (
        replace(verdict, findings=tuple(_against(finding, name) for finding in verdict.findings))
        for verdict in told.verdicts
    )
    return replace(
        told,
        evaluations=tuple(sides.values()),
        comparisons=tuple(
            replace(
                compared,
                baseline=sides[compared.baseline.version.name],
                candidate=sides[compared.candidate.version.name],
                swayed={name: 0.5},
            )
            for compared in told.comparisons
        ),
        verdicts=tuple(verdicts),
        anchors=(name,),
    )


def _altered(side: Evaluation, name: str, text: str) -> Evaluation:
    params = {**side.version.variant.params, f"{name}p": f"{side.version.name}\n{text}"}
    variant = replace(side.version.variant, params=params)
    cases = tuple(replace(case, cluster=name) for case in side.dataset.cases)
    scores_failed = [
        replace(
            result,
            scores={m: replace(s, error=text if s.error else "") for m, s in result.scores.items()},
            calls=tuple(replace(call, model=f"{name}x") for call in result.calls),
        )
        for result in side.results
    ]
    return replace(
        side,
        version=replace(side.version, app=name, variant=variant),
        dataset=Dataset(name=name, cases=cases),
        answerer=Answerer(name=name, scripted=True, description=text),
        results=tuple(scores_failed),
    )


def _against(finding: Finding, name: str) -> Finding:
    return replace(finding, against=name)
