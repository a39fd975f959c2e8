"""A self-check in words, for people who read them on a screen."""

from collections.abc import Iterator

from vcmp.selfcheck.found import Flakiness, SelfCheck, Share

FEW_DECIDED = 0.8
"""Share of decided comparisons below which it is worth asking what would decide more."""


def tell(found: SelfCheck) -> Iterator[str]:
    """The check in lines for a screen; the last two are what it means and what to do."""
    half = found.repeats // 2
    cases = f"{found.n_cases} cases in {found.n_clusters} clusters"
    yield (
        f"{found.variant} against itself: {found.false_alarms.of} comparisons of "
        f"{half} repeat{'s' * (half != 1)} with {half} others, {cases}"
    )
    yield ""
    yield f"  {'':<13} {'of ' + str(found.false_alarms.of):>7} {'share':>8}   95 % CI"
    rows = {**found.outcomes, "alert": found.alerts}
    yield from (_row(name, share) for name, share in rows.items() if share.n or name != "invalid")
    yield _row("false alarm", found.false_alarms, f"at most {_percent(found.alpha)} expected")
    if found.false_gains:
        yield _row("false gain", found.false_gains, f"at most {_percent(found.alpha)} expected")
    yield "  the comparisons share their runs: with other runs the shares may differ by more"
    yield ""
    yield from map(_flaky, found.flakiness)
    yield ""
    yield from _notes(found)
    yield _sentence(found)
    yield f"  next: {_next(found)}"


def _row(name: str, share: Share, told: str = "") -> str:
    low, high = share.interval.low, share.interval.high
    interval = f"{_percent(low)} to {_percent(high)}"
    return f"  {name:<13} {share.n:>7} {_percent(share.value):>8}   {interval:<18} {told}".rstrip()


def _flaky(each: Flakiness) -> str:
    what = "fails in some repeats" if each.scorer == "error" else "scores differently in repeats"
    named = "the agent" if each.scorer == "error" else each.scorer
    worst = ", ".join(f"{case} ({low:.2f} to {high:.2f})" for case, low, high in each.worst)
    told = f": {worst}" if worst else ""
    return f"  {named} {what} on {each.n} of {each.n_cases} cases{told}"


def _notes(found: SelfCheck) -> Iterator[str]:
    if found.skipped:
        yield f"note: not asked about {', '.join(found.skipped)}, of which these runs have no value"
    for rule in found.lost:
        yield f"note: {found.variant} does not hold {rule} by itself, which is no false alarm"
    if found.unjudged:
        n = found.outcomes["invalid"].n
        yield f"note: {n} comparisons could not be judged: {found.unjudged}"
    if found.is_still:
        yield (
            "note: every repeat scored the same, so nothing here can raise a false alarm: every "
            "comparison passes or is inconclusive"
        )


def _sentence(found: SelfCheck) -> str:
    alarms, gains = found.false_alarms, found.false_gains
    compared = f"of {alarms.of} comparisons of {found.variant} with itself"
    alpha = f"its alpha of {_percent(found.alpha)}"
    if gains and gains.interval.low > found.alpha:
        return (
            f"{compared} {gains.n} found a gain where there is none ({_percent(gains.value)}): the "
            f"gate finds more gains than {alpha}"
        )
    told = f"{compared} {alarms.n} raised a false alarm ({_percent(alarms.value)})"
    if found.is_alarming:
        return f"{told}: the gate raises more false alarms than {alpha}"
    if alarms.value <= found.alpha:
        return f"{told}: the gate raises no more false alarms than {alpha}"
    return f"{told}: the gate does not certainly raise more false alarms than {alpha}"


def _next(found: SelfCheck) -> str:
    if found.is_alarming:
        return _mend(found)
    decided = found.outcomes["pass"].value + found.outcomes["fail"].value
    if decided < FEW_DECIDED:
        return "few of them were decided; `vcmp plan` says how many cases or repeats would decide"
    return "nothing; the gate can be trusted on these cases and scorers"


def _mend(found: SelfCheck) -> str:
    worst = found.rules[0] if found.rules else None
    if worst is None or worst.by_point:
        rule = f"{worst.rule} " if worst else "a rule "
        return f"{rule}decides on the numbers as seen; give it evidence: bound"
    return (
        f"{worst.rule} raised {worst.n} of them; give cases that belong together one cluster, "
        f"and until it is mended set gate.alpha={found.alpha / 2:g}"
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %".replace(".0 %", " %")
