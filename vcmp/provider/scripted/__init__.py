"""A server on the loopback that speaks the OpenAI API and answers from an FAQ, without a model."""

from vcmp.provider.scripted.demo import Scripted

__all__ = ["Scripted"]
