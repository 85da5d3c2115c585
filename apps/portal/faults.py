"""Pages that say what did not happen: what was refused, by what, what is left as it was, and what to do."""

import logging
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from django.utils.translation import gettext as _

from apps.core.errors import CloudError, text_for

if TYPE_CHECKING:
    from apps.portal.visits import Visit

log = logging.getLogger(__name__)
STATUS = {401: 401, 429: 429, 432: 403, 503: 503, 530: 500, 531: 403, 533: 503, 534: 503, 536: 409, 537: 409}


def not_found(visit: "Visit") -> HttpResponse:
    """The same for what does not exist and for what is somebody else's."""
    title = _("There is nothing here")
    text = _("No such page, or it is about something that is not yours, or that is gone.")
    return _said(visit, 404, title, text, icon="help-circle")


def too_old(visit: "Visit") -> HttpResponse:
    title = _("This form is too old, or it came from elsewhere")
    text = _("Nothing was sent. Load the page again and send it from there.")
    return _said(visit, 403, title, text)


def refused(visit: "Visit", error: CloudError) -> HttpResponse:
    """In the words of the API."""
    text = text_for(error, visit.caller.is_root) if visit.caller else str(error)
    title = _("This is not possible now") if error.code >= 533 else _("This was refused")
    if error.code == 432:
        title = _("Your role does not have this")
    return _said(visit, STATUS.get(error.code, 400), title, text, code=str(error.code))


def unexpected(visit: "Visit") -> HttpResponse:
    title = _("Something went wrong here")
    text = _("It is not your doing. Whether it happened is not known: look before you do it again.")
    return _said(visit, 500, title, text, code="530")


def _said(visit: "Visit", status: int, title: str, text: str, **more: Any) -> HttpResponse:
    from apps.portal import shell

    context = {"title": title, "text": text, **more}
    try:
        return shell.render(visit, "portal/fault.html", context, status=status)
    except Exception:  # the shell itself may be what fails: a database that is gone
        log.exception("the page about an error failed too")
        return shell.render(visit, "portal/fault_alone.html", context, status=status)
