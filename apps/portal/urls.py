import importlib
import pkgutil
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path

import apps.portal
import apps.portal.frame.acts
import apps.portal.frame.do
from apps.portal import gate, statics
from apps.portal.frame.pages import urlpatterns as pages
from apps.portal.visits import NotFound, Visit

ROOMS = (
    "home",
    "accounts",
    "compute",
    "storage",
    "network",
    "firewall",
    "images",
    "jobs",
    "events",
    "limits",
    "infrastructure",
    "appliances",
    "offerings",
    "tenants",
    "rbac",
    "configuration",
    "guide",
)

for _room in ROOMS:
    for _module in pkgutil.iter_modules([f"{apps.portal.__path__[0]}/{_room}"]):
        importlib.import_module(f"apps.portal.{_room}.{_module.name}")

urlpatterns = [path(f"{statics.PREFIX.strip('/')}/<path:name>", statics.view), *pages()]


def _nothing(visit: Visit) -> HttpResponse:
    raise NotFound


def nothing_here(request: HttpRequest, exception: Any = None) -> HttpResponse:
    return gate.page(_nothing, for_everybody=True)(request)
