from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from generations.sandbox.server import add_options, serve


class Command(BaseCommand):
    help = "Serve pretend vendors on a loopback port: what the demo and the tests talk to."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_options(parser, Path(settings.VIDEOFORGE_DATA) / "sandbox")

    def handle(self, *args: Any, **options: Any) -> None:
        serve(options)
