"""The sums of the reports against the rows they come from."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from generations import totals


class Command(BaseCommand):
    help = "Compares all sums of the reports with their rows, and sets right what differs. Exit 1 when something did."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--look", action="store_true", help="change nothing")

    def handle(self, *_: Any, look: bool, **__: Any) -> None:
        wrong = totals.check(repair=not look)
        for each in wrong:
            self.stdout.write(str(each))
        if wrong:
            raise SystemExit(1)
        self.stdout.write("All sums are what their rows say.")
