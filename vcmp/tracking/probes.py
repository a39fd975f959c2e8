"""Whether a server answers, asked in a few seconds and without importing MLflow."""

import base64
import socket
import threading
import urllib.error
import urllib.request
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

PROBE_S = 3.0
"""Seconds a server gets to answer."""
PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}


def ask(uri: str) -> Exception | None:
    """What keeps the server at `uri` from answering; None when it answers, or when there is none.

    Asked in a thread of its own: looking up a name has no time-out, and one that holds for each
    byte does not end a server that drips.
    """
    failures: list[Exception] = []

    def try_it() -> None:
        try:
            _knock(uri)
        except (OSError, ValueError) as error:
            failures.append(error)

    thread = threading.Thread(target=try_it, daemon=True)
    thread.start()
    thread.join(PROBE_S)
    if thread.is_alive():
        return TimeoutError("timed out")
    return failures[0] if failures else None


def _knock(uri: str) -> None:
    place = urlsplit(uri)
    scheme = place.scheme.partition("+")[0]
    try:
        if scheme in ("http", "https"):
            urllib.request.urlopen(_health(place), timeout=PROBE_S).close()
        elif scheme in PORTS and place.hostname:
            address = (place.hostname, place.port or PORTS[scheme])
            socket.create_connection(address, timeout=PROBE_S).close()
    except urllib.error.HTTPError as answer:
        answer.close()  # any answer, "not found" and "log in" too, comes from a server that lives


def _health(place: SplitResult) -> urllib.request.Request:
    """The question to a server; its user and password go into a header, as urllib wants it."""
    host = place.netloc.rpartition("@")[2]
    url = urlunsplit((place.scheme, host, f"{place.path.rstrip('/')}/health", "", ""))
    request = urllib.request.Request(url)
    if place.username is not None:
        login = f"{unquote(place.username)}:{unquote(place.password or '')}".encode()
        request.add_header("Authorization", f"Basic {base64.b64encode(login).decode()}")
    return request
