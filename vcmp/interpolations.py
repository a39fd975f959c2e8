"""What `${…}` in a configuration may ask for.

A resolver is code that runs while a configuration is read. `${oc.env:OPENAI_API_KEY}` in a prompt
would send the key to a model and write it into files, and `${oc.decode:…}` could put that together
out of harmless pieces.
"""

import re

from vcmp.errors import ConfigError
from vcmp.secrets import is_key_like

RESOLVERS = ("oc.env", "oc.select", "oc.dict.keys", "oc.dict.values", "now", "hydra")
MAX_DEPTH = 10
_NAME = re.compile(r"""\s*(['"]?)([A-Za-z_][A-Za-z0-9_]*)\1\s*""")


def check_text(text: str, where: str) -> None:
    """Look through one text of a configuration, or one argument of the command line.

    Raises:
        ConfigError: It asks for something that a configuration may not have.
    """
    for found in re.finditer(r"\$\{", text):
        head, end = _read(text, found.end(), stop=":}", where=where)
        if end == ":":
            _check_resolver(head.strip(), text, found.end() + len(head) + 1, where)


def _check_resolver(name: str, text: str, begin: int, where: str) -> None:
    if name not in RESOLVERS:
        raise ConfigError(
            f"{where}: ${{{name}:…}} may not be used in a configuration."
            f" It can have {', '.join(RESOLVERS)}."
        )
    if name != "oc.env":
        return
    asked, _ = _read(text, begin, stop=",}", where=where)
    variable = _NAME.fullmatch(asked)
    if not variable:
        raise ConfigError(
            f"{where}: ${{oc.env:{asked.strip()}}} does not say which variable it reads."
            " Write its name."
        )
    if is_key_like(variable[2]):
        raise ConfigError(
            f"{where}: ${{oc.env:{variable[2]}}} would write a key into files and prompts.\n"
            "  Let your code read the variable; the provider's key is provider.api_key_env=NAME"
        )


def _read(text: str, begin: int, *, stop: str, where: str) -> tuple[str, str]:
    """The text up to the first sign of `stop` outside of inner `${…}`, and that sign."""
    depth = 0
    for found in re.compile(rf"\$\{{|[{stop}}}]").finditer(text, begin):
        sign = found[0]
        if sign == "${":
            depth += 1
        elif depth:
            depth -= sign == "}"
        elif sign in stop:
            return text[begin : found.start()], sign
        if depth > MAX_DEPTH:
            raise ConfigError(
                f"{where}: ${{…}} stands in ${{…}} more than {MAX_DEPTH} deep. Write it flat."
            )
    return text[begin:], ""
