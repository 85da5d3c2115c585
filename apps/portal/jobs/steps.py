"""The steps of a job in words."""

from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.core import ports
from apps.portal import looks
from apps.portal.components import Step
from apps.portal.visits import Visit

# By the name of the step of a flow, or of a job without one: what is so when it is done, what is done meanwhile.
WORDS: dict[str, str | Promise] = {
    "waits": _("Its turn has come"),
    "works": _("Carried out"),
    # starting a machine
    "connect": _("Networks are ready"),
    "place": _("A host and storage are chosen"),
    "prepare": _("Disks are made"),
    "start": _("Started on its host"),
}


def steps_of(visit: Visit, job: str, command: str = "") -> list[Step]:
    return [_step(each) for each in ports.watch.one().steps(visit.who, job)]


def _step(told: Any) -> Step:
    name = str(told["name"])
    took = looks.duration(told["seconds"]) if told["status"] != "todo" else ""
    text = WORDS.get(name) or name.replace("_", " ").capitalize()
    return Step(status=told["status"], text=text, detail=told["text"], took=took)
