"""What placement has written down, for administrators: why a machine is where it is, or nowhere."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.portal import looks
from apps.portal.components import Step
from apps.portal.infrastructure.kinds import HOST, POOL

Text = str | Promise
SHOWN = 6


@dataclass
class Reasons:
    text: str
    steps: list[Step]
    more: str = ""


def reasons_of(told: Mapping[str, Any]) -> Reasons:
    """A choice with its candidates, or a refusal with what each host fell out for."""
    return _choice(told) if "candidates" in told else _refusal(told)


# What placement says of a choice that no weigher made.
SHORT = {
    "it was there before, and still fits": gettext_lazy("it was here before"),
    "it had a place there already": gettext_lazy("it had a place here"),
}
WEIGHERS = {
    "random": gettext_lazy("at random"),
    "firstfit": gettext_lazy("the emptiest"),
    "userdispersing": gettext_lazy("fewest of the account"),
    "firstfitleastconsumed": gettext_lazy("least share in use"),
}


def short_reason(told: Mapping[str, Any], host: str) -> str:
    """Why a machine is on this host, for a cell; "" where that is not what was written down last."""
    if "candidates" not in told or told.get("host", {}).get("id") != host:
        return ""
    if said := SHORT.get(str(told.get("text", "")).partition(": ")[2]):
        return str(said)
    found = next((each for each in told["candidates"] if each["id"] == host), None)
    if found is None or len(told["candidates"]) == 1:
        return _("the only one that fit")
    by = ", ".join(str(WEIGHERS.get(name, name)) for name in found.get("weights", {}))
    one = _("one of %(count)s that fit") % {"count": looks.number(len(told["candidates"]))}
    return f"{one}, {by}" if by else one


def _choice(told: Mapping[str, Any]) -> Reasons:
    chosen = told.get("host", {}).get("id")
    steps = [_candidate(each, each["id"] == chosen) for each in told["candidates"][:SHOWN]]
    for disk in told.get("storage", []):
        link = format_html('<a href="{}">{}</a>', POOL.url(disk["pool"]["id"]), disk["pool"]["name"])
        said = _("Disk of %(size)s") % {"size": looks.size(disk["size"])}
        steps.append(Step(status="done", text=format_html("{}: {}", said, link)))
    rest = len(told["candidates"]) - SHOWN
    more = _("%(count)s more would do") % {"count": rest} if rest > 0 else ""
    said = short_reason(told, str(chosen))
    text = f"{told['host']['name']}: {said} ({told.get('planner', '')})" if said else str(told.get("text", ""))
    return Reasons(text, steps, more)


def _candidate(each: Mapping[str, Any], is_chosen: bool) -> Step:
    link = format_html('<a href="{}">{}</a>', HOST.url(each["id"]), each["name"])
    weights = ", ".join(f"{name} {looks.number(value)}" for name, value in each.get("weights", {}).items())
    detail = _("chosen") if is_chosen else _("would do")
    return Step(status="done" if is_chosen else "todo", text=link, detail=f"{detail}: {weights}" if weights else detail)


def _refusal(told: Mapping[str, Any]) -> Reasons:
    steps = [_dropped(each) for each in told.get("dropped", [])]
    for disk in told.get("storage", []):
        steps += [_dropped(each) for each in disk.get("dropped", [])]
    return Reasons(str(told.get("text", "")), steps)


def _dropped(each: Mapping[str, Any]) -> Step:
    count = looks.number(each["dropped"])
    return Step(status="failed", text=_("%(count)s fell out: %(reason)s") % {"count": count, "reason": each["reason"]})
