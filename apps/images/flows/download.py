"""Bring a template into an image store. Killed anywhere, it starts again: the file appears whole or not at all."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.core.errors import InvalidParameter, ResourceUnavailable
from apps.core.retry import atomically
from apps.core.settings import Setting
from apps.hypervisors.errors import Refused
from apps.images import fetch, headers
from apps.images.models import ImageStore, Template, TemplateCopy
from apps.images.services import afar, copies, stores, templates
from apps.images.services.templates import is_file
from apps.images.states import COPY
from apps.infrastructure.models import Zone
from apps.jobs.current import renew
from apps.jobs.flows import Flow, Step, Wait, begin

LARGEST = Setting("max.template.iso.size", 50, help_text="GiB of a template or ISO that is downloaded, at most.")
ALLOWED = Setting(
    "secstorage.allowed.internal.sites", "", help_text="Networks inside that templates may come from, comma separated."
)
FOLDERS = Setting(
    "secstorage.allowed.folders",
    "",
    help_text="Folders of the workers that root administrators may register file:///path from, comma separated.",
)
LATENCY = Setting("simulator.template.latency", 0, help_text="Seconds that a simulated download takes.", minimum=0)
LONGEST = 6 * 3600.0


@dataclass
class Download:
    copy_id: int
    began: float = 0.0
    physical: int = 0
    virtual: int = 0
    error: str = ""
    host_id: int = 0  # that was asked to bring it


def copy_of(ctx: Download) -> TemplateCopy:
    related = ("template__owner__domain", "store__zone", "zone")
    return TemplateCopy.including_removed.select_related(*related).get(pk=ctx.copy_id)


def bring(ctx: Download) -> None:
    copy = copy_of(ctx)
    root = stores.root_of(copy.store) if copy.store else None
    if root is not None:
        _really(ctx, copy, root)
    elif copy.store and stores.is_simulated(copy.store):
        _pretend(ctx, copy)
    else:
        _by_a_host(ctx, copy)


def _pretend(ctx: Download, copy: TemplateCopy) -> None:
    ctx.began = ctx.began or time.time()
    left = ctx.began + LATENCY.value() - time.time()
    if left > 0:
        copies.living(pk=copy.pk).update(percent=max(0, int(100 - 100 * left / LATENCY.value())))
        raise Wait(min(left, 2))
    ctx.physical, ctx.virtual = 100 * copies.MIB, 2 * copies.GIB


def _really(ctx: Download, copy: TemplateCopy, root: Path) -> None:
    template, target = copy.template, copies.file_of(copy, root)
    told = [time.monotonic()]

    def progress(percent: int) -> None:
        if time.monotonic() - told[0] > 2:
            told[0] = time.monotonic()
            renew()  # or stop: another worker has it
            copies.living(pk=copy.pk).update(percent=percent)

    rules = fetch.Rules(LARGEST.value() * copies.GIB, LONGEST, words(ALLOWED), template.checksum, progress)
    try:
        if template.url.lower().endswith(".zip"):
            raise fetch.FetchError("archives are not unpacked: gz, bz2 and xz are, which hold one file")
        ctx.physical = _brought(template.url, target, rules)
        ctx.virtual = headers.virtual_size(target, template.format)
    except fetch.FetchError as error:
        ctx.error = str(error)
        raise ResourceUnavailable(f"cannot download {template.url}: {error}") from error


def _brought(url: str, target: Path, rules: fetch.Rules) -> int:
    return fetch.copy(url, target, rules, words(FOLDERS)) if is_file(url) else fetch.fetch(url, target, rules)


def _by_a_host(ctx: Download, copy: TemplateCopy) -> None:
    """Asked again until it is there: the host does it behind the call, once, however often it is asked."""
    ctx.began = ctx.began or time.time()
    host = afar.host_of(copy, ctx.host_id)
    if host is None:
        ctx.error = "nothing in the zone can bring it into secondary storage now"
        raise ResourceUnavailable(ctx.error)
    ctx.host_id = host.pk
    try:
        stored = afar.bring(host, copy, LARGEST.value(), words(ALLOWED))
    except Refused as error:
        ctx.error = str(error)
        raise ResourceUnavailable(f"cannot download {copy.template.url}: {error}") from error
    if stored is None:
        if time.time() > ctx.began + LONGEST:
            ctx.error = "it takes too long"
            raise ResourceUnavailable(ctx.error)
        copies.living(pk=copy.pk).update(percent=afar.percent(host, copy))
        raise Wait(2)
    ctx.physical, ctx.virtual = stored


def words(setting: Setting[str]) -> tuple[str, ...]:
    return tuple(word.strip() for word in setting.value().split(",") if word.strip())


def unbring(ctx: Download) -> None:
    copy = copy_of(ctx)
    if ctx.host_id or not copy.store or stores.root_of(copy.store):
        remove_file(copy, ctx.host_id)


def remove_file(copy: TemplateCopy, host: int = 0) -> None:
    if copy.store is None or stores.is_simulated(copy.store):
        return
    if root := stores.root_of(copy.store):
        copies.file_of(copy, root).unlink(missing_ok=True)
    else:
        afar.remove(copy, host)


def arrived(ctx: Download) -> None:
    copies.arrived(copy_of(ctx), ctx.physical, ctx.virtual)


def failed(ctx: Download) -> None:
    copies.failed(copy_of(ctx), ctx.error or "the limit of secondary storage, or an error of the service, forbids it")


DOWNLOAD = Flow(
    "images.download",
    Download,
    (Step(bring, undo=unbring, queue="storage"),),
    on_success=arrived,
    on_failure=failed,
)


@atomically
def order(template: Template, store: ImageStore) -> TemplateCopy:
    """A copy that is being made; its flow begins with the transaction. The store stays while it is ordered."""
    stores.hold(store)
    copy = TemplateCopy(template=template, zone=store.zone, store=store, path=f"{template.uuid}/{store.zone.uuid}")
    copy.save()
    COPY.fire(copy, "CreateOnlyRequested")
    begin(DOWNLOAD, Download(copy.pk), child=True)
    return copy


@atomically
def fill(store: ImageStore) -> None:
    """What is for all zones, and not in this one yet. Templates without a URL exist on the simulator only: a real store
    would wait for them in vain.
    """
    here = copies.living(zone=store.zone).values("template")
    there = Template.all_tenants.filter(is_cross_zones=True).exclude(pk__in=here)
    for template in there if stores.is_simulated(store) else there.exclude(url=""):
        order(template, store)


@atomically
def register(*, owner: Any, zones: Sequence[Zone], **given: Any) -> Template:
    """A template that is being downloaded into each of the zones; no zones are all that have a store."""
    given["is_cross_zones"] = not zones
    chosen = [copies.store_of(zone) for zone in zones or Zone.all_tenants.order_by("pk")]
    found = [store for store in chosen if store]
    if not found or (zones and None in chosen):
        raise InvalidParameter("zoneid: there is no secondary storage in the zone yet")
    template = templates.insert(owner=owner, **given)
    for store in found:
        order(template, store)
    return template
