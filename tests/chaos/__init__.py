"""The whole house under fire: real processes killed, a vendor that misbehaves, a full disk; then the books compared.

    settings.py    the project's settings with shorter pauses (haste.py shortens what is no setting)
    orders.py      places many orders through the form, in one process
    house.py       a house on a small disk of its own, and how it is killed
    storm.py       what happens to it, and when
    decider.py     the administrator who decides about unclear creates, over HTTP
    reckoning.py   our database against the vendors' books

``make chaos`` runs it with 200 tasks, ``make test`` with forty.
"""
