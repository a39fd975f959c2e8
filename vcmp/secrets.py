"""Secrets: the values that must never be written, and text without them.

Known are the values of environment variables with a key-like name, of those that the configuration
names (`provider.api_key_env`), and the passwords in addresses that variables hold. Each is found in
its plain form, percent-encoded, in base64 at any place of a longer text, in base32, in hexadecimal,
as Python shows it, as text and as bytes, in HTML, and as it stands in JSON, three times over too.
"""

import base64
import html
import json
import os
import re
import threading
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote

_VARIABLE = re.compile(
    r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|BEARER|COOKIE|WEBHOOK|AUTH(?!OR)"
    r"|(^|_)(PASS(PHRASE|CODE)?|PAT)(_|$)|\wPWD$",
    re.IGNORECASE,
)
_COUNT = re.compile(r"(MAX|MIN|NUM|N)_\w*TOKENS?$|TOKENIZER", re.IGNORECASE)
_MIN_LENGTH = 12
"""Shorter values would be found in harmless text."""
_MIN_NAMED = 8
"""The same for a variable that the configuration names, and for a password in an address."""
_MIN_LINE = 20
"""Characters of a line that is a secret of its own, where a key has several lines."""
_LOGIN = re.compile(r"://([^/\s@:]*):([^/\s@]+)@")

_SERVICES = (
    "sk", "pk", "ghp", "gho", "github_pat", "glpat", "gsk", "nvapi", "xai", "xoxa", "xoxb", "xoxp",
)  # fmt: skip
KEY_SHAPE = re.compile(rf"\b({'|'.join(_SERVICES)})[-_][A-Za-z0-9_-]{{12,}}")
"""What the keys of well-known services look like."""
_BEGINNINGS = tuple(f"{service}{sign}" for service in _SERVICES for sign in "-_")

_MOST_SEEN = 100

_named: set[str] = set()
_changing = threading.Lock()
_seen: dict[tuple[str, str], None] = {}
"""Names and secrets that the environment has had, the oldest first: a key that was taken out of it,
or renewed, is none the less one."""


def is_key_like(variable: str) -> bool:
    """Whether the name of an environment variable says that it holds a secret."""
    return bool(_VARIABLE.search(variable)) and not _COUNT.search(variable)


def declare(variable: str) -> None:
    """From now on the value of this environment variable is a secret, whatever its name."""
    _named.add(variable)


def known_secrets() -> dict[str, str]:
    """The environment variables whose values must never be written, by name; paths are none."""
    return {
        name: value
        for name, value in os.environ.items()
        if (len(value) >= _MIN_LENGTH and _VARIABLE.search(name) and not _is_path(value))
        or (len(value) >= _MIN_NAMED and name in _named)
    }


def scrub(value: Any) -> Any:
    """`value`, a text or JSON value, with every secret put back into its variable's name."""
    pattern, names = _pattern(_snapshot())
    return _replace(value, pattern, names) if names else value


def mask(value: Any) -> Any:
    """`value` scrubbed, and without what has the shape of a key, known or not.

    For what an agent, a model or an error says. Not for datasets and parameters: those are compared
    by their content, and a sample key in a question is no secret.
    """
    pattern, names = _pattern(_snapshot())
    return _replace(value, pattern, names, shapes=True)


def holds_secret(text: str) -> bool:
    """Whether a secret stands in the text, in any of its forms."""
    pattern, names = _pattern(_snapshot())
    return bool(names and pattern.search(text))


def _replace(
    value: Any, pattern: "re.Pattern[str]", names: Mapping[str, str], *, shapes: bool = False
) -> Any:
    if isinstance(value, str):
        text = pattern.sub(lambda found: f"${{{names[found[0]]}}}", value) if names else value
        return KEY_SHAPE.sub(_hide, text) if shapes and _may_hold_shapes(text) else text
    if isinstance(value, Mapping):
        return {
            _replace(key, pattern, names, shapes=shapes): _replace(
                item, pattern, names, shapes=shapes
            )
            for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_replace(item, pattern, names, shapes=shapes) for item in value]
    return value


def _may_hold_shapes(text: str) -> bool:
    """Millions of characters are looked through so in a tenth of the time."""
    return any(beginning in text for beginning in _BEGINNINGS)


def _hide(found: "re.Match[str]") -> str:
    """Without a digit it is a word or a placeholder: `sk-learn-pipelines`, `sk-XXXXXXXXXXXX`."""
    return f"{found[1]}-***" if re.search(r"\d", found[0]) else found[0]


def remember() -> None:
    """From now on what the environment holds is a secret, whatever becomes of its variables."""
    _snapshot()


def _snapshot() -> tuple[tuple[str, str], ...]:
    """Names and secrets of the environment as it is now, and as it was."""
    passwords = (
        (name, password)
        for name, value in os.environ.items()
        if "://" in value
        for password in _passwords(value)
    )
    new = [secret for secret in (*known_secrets().items(), *passwords) if secret not in _seen]
    if new:
        with _changing:
            _seen.update(dict.fromkeys(new))
            for oldest in list(_seen)[:-_MOST_SEEN]:
                del _seen[oldest]
    return tuple(_seen)


def _passwords(value: str) -> Iterator[str]:
    """The passwords in an address; a short one only together with its user."""
    for user, password in _LOGIN.findall(value):
        yield f"{user}:{password}@"
        if len(password) >= _MIN_NAMED:
            yield password
            yield unquote(password)


@lru_cache(maxsize=8)
def _pattern(secrets: tuple[tuple[str, str], ...]) -> tuple["re.Pattern[str]", dict[str, str]]:
    """What finds every form of every secret, the longest first, and whose each form is."""
    names: dict[str, str] = {}
    for name, secret in secrets:
        for part in (secret, *_lines(secret)):
            for form in _forms(part):
                names.setdefault(form, name)
    longest = sorted(names, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest))), names


def _lines(secret: str) -> list[str]:
    """The lines of a key that has several, as in PEM; their breaks may be written as \\n."""
    lines = re.split(r"\r?\n|\\n", secret)
    return [line for line in lines if len(line) >= _MIN_LINE and "-----" not in line]


def _forms(secret: str) -> Iterator[str]:
    content = secret.encode("utf-8", "surrogateescape")
    everything = "".join(f"%{byte:02X}" for byte in content)
    for escaped in (quote(content), quote(content, safe=""), quote_plus(content), everything):
        yield from (escaped, re.sub("%..", lambda found: found[0].lower(), escaped))
    yield from (content.hex(), content.hex().upper(), base64.b32encode(content).decode().strip("="))
    in_page = html.escape(secret)
    numbered = in_page.replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
    yield from (in_page, numbered, html.escape(secret, quote=False))
    for written in (secret, repr(secret)[1:-1], repr(content)[2:-1]):
        for ascii in (True, False):
            nested = written
            for _ in range(4):
                yield nested
                nested = json.dumps(nested, ensure_ascii=ascii)[1:-1]
    if len(content) >= _MIN_LENGTH:
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            for shift in range(3):
                yield _middle(encode(b"\0" * shift + content).decode(), shift, len(content))


def _middle(encoded: str, shift: int, length: int) -> str:
    """The signs of a base64 text that depend on the secret alone, not on what stands round it."""
    begin = (shift * 8 + 5) // 6
    return encoded[begin : (shift + length) * 8 // 6]


def _is_path(value: str) -> bool:
    """Whether it names a place on this machine; a base64 key may begin with a slash, too."""
    if value[0] not in "/~.":
        return False
    top = Path(*Path(value).parts[:2])
    return value[0] in "~." or top.exists()
