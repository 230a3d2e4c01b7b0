import os
import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandParser

from generations import keys
from generations.management.refusal import refuse
from generations.providers import PROVIDERS


class Command(BaseCommand):
    help = "Add an API key. The secret is read from VIDEOFORGE_KEY_SECRET or standard input, never an argument."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("provider", choices=sorted(PROVIDERS))
        parser.add_argument("label")
        parser.add_argument("--base-url", default="")
        parser.add_argument("--max-in-flight", type=int, default=5)

    def handle(self, *args: Any, **options: Any) -> None:
        # An argument would stand in the process list and in the shell's history.
        secret = os.environ.get("VIDEOFORGE_KEY_SECRET") or sys.stdin.readline()
        try:
            key = keys.add(
                provider=options["provider"],
                label=options["label"],
                secret=secret.strip(),
                base_url=options["base_url"],
                max_in_flight=options["max_in_flight"],
            )
        except ValidationError as error:
            lines = [f"{field}: {' '.join(texts)}" for field, texts in error.message_dict.items()]
            refuse(*lines)
        except ValueError as error:
            refuse(str(error))
        self.stdout.write(key.masked)
