"""Every request that the OpenAI client makes: by turns, within deadlines and budget, recorded."""

from vcmp.provider.metering.failures import StoppedError
from vcmp.provider.metering.meter import meter

__all__ = ["StoppedError", "meter"]
