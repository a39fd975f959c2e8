"""Recorded replies, and the server that records and plays them.

folder      one file for each request
recordings  one reply: what is kept of it, and whether it is worth keeping
choosing    which of several replies is played
misses      what to say when there is none
tapes       record, cache or play
upstream    the API that is asked
deck        the server
"""

from vcmp.provider.cassettes.deck import deck
from vcmp.provider.cassettes.folder import Cassette
from vcmp.provider.cassettes.tapes import Cache, Player, Recorder

__all__ = ["Cache", "Cassette", "Player", "Recorder", "deck"]
