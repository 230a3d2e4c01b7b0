import sys
from typing import Any

from django.core.management.base import BaseCommand

from generations import reencryption


class Command(BaseCommand):
    help = "Encrypt all secrets anew with the newest of VIDEOFORGE_ENCRYPTION_KEYS; exit 1 if one cannot be read."

    def handle(self, *args: Any, **options: Any) -> None:
        done, unreadable = 0, 0
        for name, number, readable in reencryption.rotate_all():
            done += number
            if not readable:
                unreadable += 1
                self.stdout.write(f"cannot be read with any of the keys: {name}")
        self.stdout.write(f"{done} secrets are encrypted with the newest key now")
        if unreadable:
            self.stdout.write(f"{unreadable} rows stay as they were: keep the older keys until these are entered anew")
            sys.exit(1)
