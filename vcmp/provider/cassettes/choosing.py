"""Which of several recorded replies to one request is played."""

from collections.abc import Sequence

from vcmp.calls import Slot
from vcmp.provider.cassettes.recordings import RecordedReply


def choose(
    replies: Sequence[RecordedReply], slot: Slot | None, number: int
) -> RecordedReply | None:
    """The reply to the `number`-th call of a slot, counted from 0.

    Of the same slot; or else, when a variant, a case or a scorer was renamed or is new, of another
    with the same repeat, the same case first. So a repeat is never answered with another one's
    reply, and repeats stay as independent as they were recorded.

    Numbers count the replies that there are: where a call failed while others were recorded, a
    player that does not fail asks one time less.
    """
    own = [reply for reply in replies if reply.slot == slot]
    if number < len(own):
        return own[number]
    if slot is None:
        return None
    alike = {other.slot for other in replies if other.slot and other.slot.repeat == slot.repeat}
    for other in sorted(alike, key=lambda each: _distance(each, slot)):
        theirs = [reply for reply in replies if reply.slot == other]
        if number < len(theirs):
            return theirs[number]
    return None


def _distance(other: Slot, slot: Slot) -> tuple[bool, bool, str, str, str]:
    return (
        other.case_id != slot.case_id,
        other.scorer != slot.scorer,
        other.variant,
        other.case_id,
        other.scorer,
    )
