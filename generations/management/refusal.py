"""How a command says that it does not take what it was given: one clear line a field, exit code 2."""

import sys
from typing import NoReturn


def refuse(*lines: str) -> NoReturn:
    for line in lines:
        print(line, file=sys.stderr)
    sys.exit(2)
