"""The state machine of a task: the only writer of ``Task.state``.

Every move is one conditional UPDATE from the states that allow it, in one transaction with its event and its
ledger rows. Zero rows changed means that somebody was first: nothing else is written, so each function may be
called again with the same news, in any order, from any process.
"""

from generations.lifecycle.adoption import adopt
from generations.lifecycle.answers import COMES_BACK, accept, lose_answer, may_exist, refuse
from generations.lifecycle.charges import correct_charge
from generations.lifecycle.copies import Kept, kept, lost
from generations.lifecycle.decisions import (
    GIVEN_UP,
    ask_now,
    exists,
    exists_refused,
    give_up,
    move_to_key,
    not_made,
    resend,
)
from generations.lifecycle.moves import MOVES, NOT_CREATED
from generations.lifecycle.news import LINK_LIFETIME, observe
from generations.lifecycle.press import AlreadySent, Cancelled, RequestIdTaken, cancel, cancel_answered, create
from generations.lifecycle.sending import claim, mark_sent

__all__ = [
    "COMES_BACK",
    "GIVEN_UP",
    "LINK_LIFETIME",
    "MOVES",
    "NOT_CREATED",
    "AlreadySent",
    "Cancelled",
    "Kept",
    "RequestIdTaken",
    "accept",
    "adopt",
    "ask_now",
    "cancel",
    "cancel_answered",
    "claim",
    "correct_charge",
    "create",
    "exists",
    "exists_refused",
    "give_up",
    "kept",
    "lose_answer",
    "lost",
    "mark_sent",
    "may_exist",
    "move_to_key",
    "not_made",
    "observe",
    "refuse",
    "resend",
]
