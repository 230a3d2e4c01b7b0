"""The state machine of a task: the only writer of ``Task.state``.

Every move is one conditional UPDATE from the states that allow it, in one transaction with its event and its
ledger rows. Zero rows changed means that somebody was first: nothing else is written, so each function may be
called again with the same news, in any order, from any process.
"""

from generations.lifecycle.copies import Kept, kept, lost
from generations.lifecycle.moves import MOVES
from generations.lifecycle.news import LINK_LIFETIME, observe
from generations.lifecycle.press import Cancelled, RequestIdTaken, cancel, cancel_answered, create
from generations.lifecycle.sending import COMES_BACK, accept, claim, lose_answer, mark_sent, refuse

__all__ = [
    "COMES_BACK",
    "LINK_LIFETIME",
    "MOVES",
    "Cancelled",
    "Kept",
    "RequestIdTaken",
    "accept",
    "cancel",
    "cancel_answered",
    "claim",
    "create",
    "kept",
    "lose_answer",
    "lost",
    "mark_sent",
    "observe",
    "refuse",
]
