import sys
from typing import Any

from django.core.management.base import BaseCommand

from apps.core.audit import findings


class Command(BaseCommand):
    help = "Check what must always be true of the database; exit status 1 if something is not."

    def handle(self, *args: Any, **options: Any) -> None:
        wrong = 0
        for subject, lines in findings().items():
            self.stdout.write(f"{'ok  ' if not lines else 'FAIL'} {subject}")
            for line in lines:
                self.stdout.write(f"       {line}")
            wrong += len(lines)
        self.stdout.write(f"{wrong} findings")
        if wrong:
            sys.exit(1)
