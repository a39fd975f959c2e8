"""A document that comes, with status 200, where a stream was asked for.

A proxy sends its page, or a gateway its error. The SDK finds no event in it, and an agent that
reads the stream would take that for an empty answer.
"""

import json
from typing import Any

from vcmp.provider.metering.readings import lack_of


def document_in(reply: Any) -> Any:
    """The response of a stream that has come as a document; None of any other reply."""
    from openai import AsyncStream, Stream
    from openai._legacy_response import LegacyAPIResponse

    if isinstance(reply, Stream | AsyncStream):
        response = reply.response
    elif isinstance(reply, LegacyAPIResponse) and reply._stream:
        response = reply.http_response
    else:
        return None
    kind = response.headers.get("content-type", "")
    # events under a wrong name come without a length: it is not known before the last of them
    whole = kind.startswith("application/json") and "content-length" in response.headers
    return response if whole or kind.startswith("text/html") else None


def lack_of_document(response: Any) -> str:
    """Why a document, which was read, is no stream.

    Raises:
        JSONDecodeError: It is a page.
    """
    try:
        document = json.loads(response.content)
    except ValueError:
        raise json.JSONDecodeError("the reply is not JSON", response.text[:200], 0) from None
    return lack_of(document) or "the reply is no stream"
