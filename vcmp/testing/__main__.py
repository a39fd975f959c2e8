"""`python -m vcmp.testing`: serve faults to an agent in any language."""

import argparse
import inspect
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any, get_args

from vcmp.errors import ConfigError, VcmpError, suggest
from vcmp.secrets import mask
from vcmp.testing import Fault, FaultServer, RateLimit, faults

NAMES = {"of"}
"""Parameters of faults that a text cannot give."""


def main(arguments: Sequence[str]) -> int:
    """Serve until Ctrl-C or the end of `--seconds`; returns the exit code."""
    chosen = _parser().parse_args(arguments)
    try:
        server = FaultServer(
            [read_fault(text) for text in chosen.fault],
            limit=_limit(chosen),
            latency_s=chosen.latency_s,
            port=chosen.port,
            max_s=chosen.seconds,
        )
        _serve(server)
    except VcmpError as error:
        print(f"vcmp.testing: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _serve(server: FaultServer) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with server:
            print(server.url, flush=True)
            server.wait()
    except KeyboardInterrupt:
        pass
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not between 0 and 65535"
        raise ConfigError(f"--port: {why}. Choose another, or 0 for any") from error
    n_limited = sum(request.fault == "over_limit" for request in server.requests)
    print(
        f"{server.n_requests} requests, {n_limited} of them over the limit;"
        f" {server.most_at_once} at once at most"
    )


def read_fault(text: str) -> Fault:
    """The fault that `name` or `name:parameter=value,…` describes.

    Raises:
        ConfigError: It has no such name or parameter, or does not take the value.
    """
    name, _, given = text.partition(":")
    if name not in faults.__all__:
        raise ConfigError(
            f"--fault: there is no {mask(name)!r}.{suggest(name, faults.__all__)}"
            "\n  `python -m vcmp.testing --help` lists them"
        )
    make: Callable[..., Fault] = getattr(faults, name)
    pairs = (pair.partition("=") for pair in given.split(",") if pair)
    try:
        return make(**{key: _value(make, key, value) for key, _, value in pairs})
    except ValueError as error:
        raise ConfigError(f"--fault {name}: {error}") from error


def _value(make: Any, key: str, text: str) -> Any:
    known = {k: p for k, p in inspect.signature(make).parameters.items() if k not in NAMES}
    if key not in known:
        takes = f"It takes {', '.join(known)}" if known else "It takes none"
        raise ValueError(f"it has no parameter {key!r}.{suggest(key, known)} {takes}")
    kinds = get_args(known[key].annotation) or (known[key].annotation,)
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                raise ValueError(f"{key} is {text!r}, not a number") from None
    return text


def _limit(chosen: argparse.Namespace) -> RateLimit | None:
    if chosen.per_s is None:
        return None
    try:
        return RateLimit(per_s=chosen.per_s, burst=chosen.burst)
    except ValueError as error:
        raise ConfigError(f"--per-s, --burst: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m vcmp.testing",
        description="A provider on 127.0.0.1 that speaks the OpenAI API and fails as told.\n"
        "Prints the base URL, and serves until Ctrl-C.",
        epilog=_list_faults(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME[:PARAMETER=VALUE,…]",
        help="what happens to a request; several are a script, the last one repeats",
    )
    parser.add_argument("--port", type=int, default=0, help="default: any that is free")
    parser.add_argument("--seconds", type=float, default=3600, help="then it ends (default 3600)")
    parser.add_argument("--latency-s", type=float, default=0, help="how long each answer takes")
    parser.add_argument("--per-s", type=float, help="requests a second; those beyond meet 429")
    parser.add_argument("--burst", type=int, default=1, help="so many may come at once (default 1)")
    return parser


def _list_faults() -> str:
    return "\n".join(["faults, with their numbers:", *map(_describe, faults.__all__)])


def _describe(name: str) -> str:
    make: Callable[..., Fault] = getattr(faults, name)
    first = str(make.__doc__).partition("\n")[0]
    numbers = ", ".join(
        f"{key}={parameter.default}"
        for key, parameter in inspect.signature(make).parameters.items()
        if isinstance(parameter.default, int | float)
    )
    return f"  {name:<20}{first}{f' ({numbers})' if numbers else ''}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
