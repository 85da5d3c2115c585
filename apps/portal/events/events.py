from django.utils.translation import gettext_lazy as _

from apps.portal.events.kinds import EVENT
from apps.portal.events.words import WHAT
from apps.portal.frame.columns import MONO, Look
from apps.portal.frame.listing import ListPage
from apps.portal.looks import moment

EXACT = Look(lambda value: moment(value, seconds=True), "num")


class EventList(ListPage):
    at = "events"
    nav = "/events"
    kind = EVENT
    columns = ("description", "state", "type", "level", "resourcename", "username", "created")
    filters = ("level", "state", "type", "startdate", "enddate")
    labels = {"username": _("Who"), "created": _("When")}
    own = {"description": WHAT}
    dressing = {"type": MONO, "created": EXACT}
    searching = _("Type or text")
    hint = _("All that you and others do in this account shows up here.")
