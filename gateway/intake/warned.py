"""What a sender is warned of: the alert is taken, and may not do what its sender expects of it. Pure.

A warning is a code that never changes; whoever shows it to a person has the sentence, in both languages.

===========================  ==========================================================================================
code                         when
===========================  ==========================================================================================
``unknown-reference``        an Update of nothing that the exchange knows: it begins a thread
``reaches-none-of-thread``   an Update or Cancel that none of those receive whom earlier alerts of its thread reached
``reaches-part-of-thread``   one that some of them do not receive
===========================  ==========================================================================================

The last two are no refusal: a TLP label above a clause's ceiling, or an agreement that ended, keeps the alert from them
as it must. But they go on acting on what they were told, and only the sender can change that. Where nobody was reached
there is nobody to tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gateway.store.threads import Thread
from schemas.alerts.header import Alert
from schemas.decisions import Decision, Permit

UNKNOWN_REFERENCE: Final = "unknown-reference"
REACHES_NONE: Final = "reaches-none-of-thread"
REACHES_PART: Final = "reaches-part-of-thread"
_CHANGING: Final = frozenset({"Update", "Cancel"})


def warnings_of(alert: Alert, thread: Thread | None, decisions: Iterable[Decision]) -> tuple[str, ...]:
    """Return what to warn an alert's sender of; ``thread`` is the known one that it belongs to, if any."""
    if thread is None:
        return (UNKNOWN_REFERENCE,) if alert.msgType != "Alert" and alert.references else ()
    if alert.msgType not in _CHANGING:
        return ()
    receiving = {decision.recipient for decision in decisions if isinstance(decision, Permit)}
    left_out = thread.reached.keys() - receiving
    if not left_out:
        return ()
    return (REACHES_NONE if left_out == thread.reached.keys() else REACHES_PART,)
