"""A provider that misbehaves as told: a server on the loopback to test an agent with.

    with FaultServer([faults.rate_limit(retry_after_s=1), faults.answer("Hello.")]) as server:
        client = openai.OpenAI(base_url=server.url, api_key="any", max_retries=0)
        ...
        assert server.n_requests == 2

It speaks Chat Completions and Responses, whole and streamed, and calls no language model.
`python -m vcmp.testing` serves the same to a program in any language.
"""

from vcmp.testing import faults
from vcmp.testing.choices import RateLimit
from vcmp.testing.faults import Fault
from vcmp.testing.requests import Received
from vcmp.testing.server import FaultServer

__all__ = ["Fault", "FaultServer", "RateLimit", "Received", "faults"]
