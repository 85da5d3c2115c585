from django.utils.translation import gettext_lazy as _

from apps.portal.kinds import Kind

EVENT = Kind(
    "events.Event",
    _("event"),
    _("events"),
    _("Events"),
    "history",
    "listEvents",
    "events",
    titles=("description",),
    has_page=False,
)
