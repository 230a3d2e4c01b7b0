"""How a command says that its database is not there, or not as this version needs it: one line, exit code 2."""

import re
from collections.abc import Sequence

from django.core.management import execute_from_command_line
from django.db import DatabaseError, OperationalError, ProgrammingError

from generations.management.refusal import refuse

BEHIND = re.compile(r"no such (table|column)|(relation|column) .* does not exist")
AWAY = re.compile(r"connection failed|could not connect|unable to open database file")


def execute(arguments: Sequence[str]) -> None:
    """Run a command. Other errors of the database than these two, and all with ``--traceback``, are shown whole."""
    try:
        execute_from_command_line(list(arguments))
    except (OperationalError, ProgrammingError) as error:
        if "--traceback" in arguments or not (told := _sentence(error)):
            raise
        refuse(told)


def _sentence(error: DatabaseError) -> str:
    said = str(error).strip().partition("\n")[0]
    if BEHIND.search(said):
        return (
            f"The database is not as this version needs it ({said}). Run `manage.py migrate`, or start everything with "
            "`manage.py run`, which does that."
        )
    if AWAY.search(said):
        return f"The database cannot be reached: {said}. Look at DATABASE_URL and VIDEOFORGE_DATA."
    return ""
