"""Documentation that is served: the commands, the ways to call them, the errors. HTML alone, from the registry: no
script, nothing from elsewhere, so the strictest policy holds.
"""

from functools import cache
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template import Context, Engine

from apps.api import describe
from apps.api.packing import packed
from apps.api.render import VERSION
from apps.api.rest.openapi import area_of
from apps.api.rest.paths import ROOT, path_of
from apps.api.rest.problems import STATUS
from apps.core import errors
from apps.core.callers import Kind
from apps.core.commands import REGISTRY, Spec

HERE = Path(__file__).parent / "pages"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
ROLES = {Kind.ROOT: "root administrators", Kind.DOMAIN_ADMIN: "domain administrators", Kind.TENANT: "users"}


def index(request: HttpRequest) -> HttpResponse:
    areas: dict[str, list[dict[str, str]]] = {}
    for name, spec in sorted(REGISTRY.items()):
        areas.setdefault(area_of(name), []).append({"name": name, "text": describe.text_of(spec)})
    return _page(request, "index.html", areas=sorted(areas.items()), count=len(REGISTRY))


def command(request: HttpRequest, name: str) -> HttpResponse:
    if name not in REGISTRY:
        return HttpResponse(f"There is no command {name}.", status=404, content_type="text/plain", headers=HEADERS)
    return _page(request, "command.html", **_command(REGISTRY[name]))


def rest(request: HttpRequest) -> HttpResponse:
    return _page(request, "rest.html", root=ROOT)


def problems(request: HttpRequest) -> HttpResponse:
    kinds = {kind.code: kind for kind in _kinds(errors.CloudError) if kind.cs_code != -1 or kind.code < 500}
    rows = [
        {"code": code, "status": STATUS.get(code, code), "name": kind.__name__, "text": (kind.__doc__ or "").strip()}
        for code, kind in sorted(kinds.items())
    ]
    return _page(request, "errors.html", rows=rows)


def style(request: HttpRequest) -> HttpResponse:
    return HttpResponse((HERE / "style.css").read_bytes(), content_type="text/css; charset=utf-8", headers=HEADERS)


def _kinds(kind: type[errors.CloudError]) -> list[type[errors.CloudError]]:
    """The most general of each code last, so that it is the one that stays."""
    return [inner for each in kind.__subclasses__() for inner in _kinds(each)] + [kind]


def _command(spec: Spec) -> dict[str, Any]:
    route = path_of(spec.name)
    parameters = [
        {
            "name": name,
            "type": field.wire_type,
            "length": field.length if field.wire_type == "string" else "",
            "required": field.required,
            "since": describe.since(spec, name, field),
            "text": field.help_text,
            "restricted": field.allowed == Kind.ROOT,
        }
        for name, field in describe.parameters(spec)
    ]
    return {
        "name": spec.name,
        "text": describe.text_of(spec),
        "since": describe.facts_of(spec.name).get("since", ""),
        "area": area_of(spec.name),
        "route": route and f"{route.method} {ROOT}{route.path}",
        "id_parameter": route.id_parameter if route else "",
        "is_async": spec.is_async,
        "event": spec.event or "",
        "roles": ", ".join(text for kind, text in ROLES.items() if kind & spec.roles),
        "response_name": spec.response_name,
        "key": spec.response.wire_name if spec.response else "",
        "parameters": sorted(parameters, key=lambda each: (not each["required"], each["name"])),
        "fields": list(_flat(describe.answered(spec))),
        "related": [name for name in describe.related().get(spec.response, ()) if name != spec.name],
    }


def _flat(fields: tuple[describe.Answered, ...], above: str = "") -> list[dict[str, str]]:
    found = []
    for each in fields:
        found.append({"name": f"{above}{each.name}", "type": each.type, "text": each.text})
        found += _flat(each.fields, f"{above}{each.name}.")
    return found


@cache
def _engine() -> Engine:
    return Engine(dirs=[str(HERE)], autoescape=True)


def _page(request: HttpRequest, template: str, **values: Any) -> HttpResponse:
    body = _engine().get_template(template).render(Context({"version": VERSION, **values}))
    return packed(request, HttpResponse(body, content_type="text/html; charset=utf-8", headers=HEADERS))
