"""Where administrators keep keys, people, budgets and prices, and where auditors look. Secrets never come out."""

from generations.admin import (  # noqa: F401  (they register themselves)
    addresses,
    alerts,
    budgets,
    catalogue,
    changes,
    hosts,
    invitations,
    keys,
    ledger,
    people,
    prices,
    records,
    share_links,
)
