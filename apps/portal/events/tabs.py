"""What happened to one row: a tab of its page."""

from django.utils.translation import gettext_lazy as _

from apps.portal.events.events import EXACT
from apps.portal.events.kinds import EVENT
from apps.portal.events.words import WHAT
from apps.portal.frame.columns import MONO
from apps.portal.frame.detail import Tab


def events_of(resource_type: str) -> Tab:
    """``resource_type`` is what the wire calls the kind of row."""
    return Tab(
        EVENT,
        "resourceid",
        ("description", "state", "type", "username", "created"),
        slug="events",
        labels={"created": _("Time"), "username": _("Who"), "type": _("Event")},
        looks={"type": MONO, "created": EXACT},
        own={"description": WHAT},
        fixed={"resourcetype": resource_type},
    )
