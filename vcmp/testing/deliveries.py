"""How a reply goes over the wire: whole, a byte at a time, or not to its end."""

from dataclasses import dataclass
from typing import Protocol

from vcmp.testing.replies import Content

SHORTEST_PAUSE_S = 0.001


class Line(Protocol):
    """One request's connection to its client."""

    def write(self, data: bytes) -> None:
        """Send at once."""
        ...

    def pause(self, seconds: float) -> bool:
        """Wait; False as soon as the client has left or the server stops."""
        ...

    def leave(self) -> None:
        """Count the request as answered: said before the client can know that it is."""
        ...

    def hang_up(self, reset: bool = False) -> None:
        """Close the connection, by a reset or in order."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """All of it."""

    def send(self, content: Content, line: Line) -> None:
        """Send `content`."""
        line.leave()
        line.write(content.head + content.body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drip:
    """The head at once and the body a byte at a time, spread over `for_s` seconds."""

    for_s: float

    def send(self, content: Content, line: Line) -> None:
        """Send `content`; several bytes at a time when there are more than a thousand a second."""
        line.write(content.head)
        body = content.body
        pause_s = max(self.for_s / max(len(body), 1), SHORTEST_PAUSE_S)
        step = max(1, round(len(body) * pause_s / self.for_s))
        for start in range(0, len(body), step):
            if not line.pause(pause_s):
                line.hang_up()
                return
            if start + step >= len(body):
                line.leave()
            line.write(body[start : start + step])


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The head and a share `at` of the body, or nothing at 0; then silence for `for_s` seconds,
    and the connection is closed."""

    at: float
    for_s: float = 0.0
    reset: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.at < 1:
            raise ValueError(f"at is {self.at!r}: a share of the body, from 0 to below 1")

    def send(self, content: Content, line: Line) -> None:
        """Send this part of `content`."""
        if self.at:
            line.write(content.head + content.body[: int(len(content.body) * self.at)])
        # a reset takes with it what the client has not read
        line.pause(self.for_s or (0.05 if self.reset and self.at else 0))
        line.leave()
        line.hang_up(self.reset)


def check_bound(name: str, seconds: float) -> None:
    """Raises ValueError unless `seconds` is a time to wait."""
    if not 0 < seconds <= 3600:
        raise ValueError(f"{name} is {seconds!r}: seconds, above 0 and at most 3600")
