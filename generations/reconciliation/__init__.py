"""Our ledger beside what a vendor says of a key's tasks: read its list, compare, keep what differs, settle it.

``request`` puts a run down and has the worker do it; ``run`` does it. Requests go out between transactions, never
inside one. A run can be cut off anywhere and done again: what it found once is the same row when found again.
"""

from generations.reconciliation.adopting import adopt, ask_to_adopt
from generations.reconciliation.runs import WINDOW, in_worker, is_of, nightly, request, run, run_now
from generations.reconciliation.settling import Cannot, accept_all, settle

__all__ = [
    "WINDOW",
    "Cannot",
    "accept_all",
    "adopt",
    "ask_to_adopt",
    "in_worker",
    "is_of",
    "nightly",
    "request",
    "run",
    "run_now",
    "settle",
]
