"""What goes by steps: jobs and wizards."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from django.utils.translation import gettext as _

from apps.portal.components.base import Component, Text, component


@dataclass(frozen=True, kw_only=True)
class Step:
    status: str  # done, now, failed, undone, todo
    text: Text
    detail: Text = ""
    took: Text = ""
    SHAPES: ClassVar[dict[str, str]] = {
        "done": "Running",
        "now": "Starting",
        "failed": "Error",
        "todo": "Allocated",
        "undone": "Destroyed",
    }

    @property
    def shape(self) -> str:
        return self.SHAPES[self.status]

    @property
    def word(self) -> Text:
        words = {
            "done": _("done"),
            "now": _("under way"),
            "failed": _("failed"),
            "todo": _("not begun"),
            "undone": _("taken back"),
        }
        return words[self.status]


@component
class Timeline(Component):
    """Steps of a job, plans, checks, explanations."""

    steps: Sequence[Step]


@dataclass(frozen=True, kw_only=True)
class WizardStep:
    number: int
    label: Text
    status: str  # done, now, todo
    chosen: Text = ""
    url: str = ""
    wrong: bool = False


@component
class Steps(Component):
    """Of a wizard: what is done is a link and says what was chosen."""

    steps: Sequence[WizardStep]


@component
class Summary(Component):
    rows: Sequence[tuple[Text, Text]]  # an empty value: not chosen yet


@component
class Plan(Component):
    """What a rehearsal said: ``kind`` is a state's name; ``reasons`` (text, steps, more) are for administrators."""

    kind: str
    text: Text
    reasons: Any = None
