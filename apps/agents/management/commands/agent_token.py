from typing import Any

from django.core.management.base import BaseCommand

from apps.agents.services import enrolment


class Command(BaseCommand):
    help = "A token for one host: it enrols with it, and addHost takes it as the password of the user token."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(enrolment.invite()[1])
