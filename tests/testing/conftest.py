"""One real OpenAI client for all: making one costs as much as ten calls."""

import json
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest

from vcmp.testing import FaultServer

ClientOf = Callable[..., openai.OpenAI]

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Where is it?"}]}
ASK_RESPONSES: dict[str, Any] = {"model": "m", "input": "Where is it?"}


def post(url: str, content: bytes, **headers: str) -> tuple[int, Any]:
    """The status and the JSON that come back."""
    address = urlsplit(url)
    connection = HTTPConnection(str(address.hostname), address.port, timeout=20)
    try:
        connection.request("POST", address.path, content, headers)
        reply = connection.getresponse()
        return reply.status, json.loads(reply.read())
    finally:
        connection.close()


@pytest.fixture(scope="session")
def client_of() -> Iterator[ClientOf]:
    """`client_of(server)` is a client of that server which does not retry."""
    with openai.OpenAI(base_url="http://127.0.0.1:9/v1", api_key="secret", max_retries=0) as client:

        def client_of(server: FaultServer, **options: Any) -> openai.OpenAI:
            return client.with_options(base_url=server.url, **{"timeout": 20, **options})

        yield client_of
