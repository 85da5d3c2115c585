"""What stands around every page: header, menu, jobs, toasts; and how a page becomes an answer."""

from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils import translation

from apps.core.logs import request_id
from apps.portal import menu
from apps.portal.visits import Visit

THEMES = ("auto", "light", "dark")


def render(visit: Visit, template: str, context: dict[str, Any], *, status: int = 200) -> HttpResponse:
    """A whole page. Parts of one are rendered by `fragment`."""
    around = _everybodys(visit)
    if visit.caller is not None:
        around |= _ones_own(visit, context.get("nav", ""))
    return HttpResponse(render_to_string(template, around | context), status=status)


def fragment(visit: Visit, template: str, context: dict[str, Any]) -> HttpResponse:
    return HttpResponse(render_to_string(template, _everybodys(visit) | context))


def _everybodys(visit: Visit) -> dict[str, Any]:
    theme = visit.request.COOKIES.get("theme", "")
    return {
        "visit": visit,
        "language": translation.get_language(),
        "languages": settings.LANGUAGES,
        "theme": theme if theme in THEMES else "auto",
        "csrf_token": get_token(visit.request),
        "request_id": request_id.get(),
        "here": visit.request.get_full_path(),
        "title": "",
    }


def _ones_own(visit: Visit, nav: str) -> dict[str, Any]:
    from apps.portal.jobs import panel

    caller = visit.who
    return {
        "menu": menu.shown(visit, nav),
        "bell": panel.bell(visit),
        "toasts": visit.toasts,
        "me": {
            "name": visit.user.username,
            "account": caller.account.name,
            "domain": caller.account.domain.wire_path,
            "role": caller.role.name,
        },
    }
