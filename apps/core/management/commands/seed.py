from typing import Any

from django.core.management.base import BaseCommand

from apps.core.seeds import sow


class Command(BaseCommand):
    help = "Put into the database what a fresh installation has; safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        sow()
