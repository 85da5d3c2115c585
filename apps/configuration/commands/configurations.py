from collections.abc import Iterator, Mapping
from typing import Any

from apps.configuration import services
from apps.configuration.catalogue import Known, find, groups, known, spoken
from apps.configuration.places import GLOBALLY, kind_of, kinds_for, wire_name
from apps.configuration.store import STORE
from apps.core.callers import DOMAIN, ROOT, Access, Caller
from apps.core.commands import Command, command
from apps.core.errors import InvalidParameter
from apps.core.lists import MemoryListCommand, Page, bounds
from apps.core.refs import Ref
from apps.core.responses import Plain, wire_date
from apps.core.wire import Int, Str

TENANTS = ("account", "domain")  # what a domain administrator may set, of those in the own tree


class RootRef(Ref):
    """Of the infrastructure: dropped for others, as all parameters that a role may not pass."""

    allowed = ROOT


class ConfigurationResponse(Plain):
    wire_name = "configuration"
    fields = {
        "name": "string",
        "value": "string",
        "defaultvalue": "string",
        "description": "string",
        "displaytext": "string",
        "category": "string",
        "group": "string",
        "subgroup": "string",
        "component": "string",
        "type": "string",
        "scope": "string",
        "options": "string",
        "isdynamic": "boolean",
        "updated": "date",
        "updatedby": "string",
    }


def entry(each: Known, row: Any | None, caller: Caller) -> dict[str, Any]:
    """The setting as it holds for ``row``, or globally; a secret value is not told."""
    setting, found = each.setting, STORE.found(each.setting, row)
    kinds = (kind_of(row),) if row is not None else setting.scopes
    place, stored = found or (GLOBALLY, None)
    value = STORE.plain(setting, stored) if stored else each.default
    answer = {
        "name": each.name,
        "value": None if setting.secret else value,
        "defaultvalue": None if setting.secret else each.default,
        "description": setting.help_text,
        "displaytext": spoken(each.name),
        "category": setting.category,
        "group": each.group,
        "subgroup": each.subgroup,
        "component": each.component,
        "type": each.type,
        "scope": ", ".join(wire_name(kind) for kind in kinds) or "Global",
        "options": each.options or None,
        "isdynamic": each.is_dynamic,
    }
    if stored and (
        caller.is_root or place[0] in TENANTS
    ):  # who of the operators set it globally is no tenant's business
        answer |= {"updated": wire_date(stored.updated), "updatedby": stored.by}
    return {name: value for name, value in answer.items() if value is not None}


def one_row(caller: Caller, rows: Mapping[str, Any]) -> Any | None:
    """The row whose value is meant; a domain administrator means the own domain where nothing else is said."""
    given = [row for row in rows.values() if row is not None]
    if len(given) > 1:
        raise InvalidParameter(f"{', '.join(rows)}: only one of them says whose value is meant")
    if given:
        return given[0]
    return None if caller.is_root else caller.account.domain


@command("listConfigurations", roles=DOMAIN, response=ConfigurationResponse)
class ListConfigurations(Command):
    """Lists settings with the values that hold now."""

    changes = False

    name = Str(help_text="list the one with this name, or those with it in their names")
    keyword = Str(help_text="List by keyword")
    category = Str(help_text="list those of this category")
    group = Str(help_text="list those of this group")
    subgroup = Str(help_text="list those of this subgroup")
    accountid = Ref("accounts.Account", Access.OPERATE, help_text="values that hold for this account")
    domainid = Ref("domains.Domain", Access.OPERATE, help_text="values that hold for this domain")
    zoneid = RootRef("infrastructure.Zone", Access.OPERATE, help_text="values that hold for this zone")
    clusterid = RootRef("infrastructure.Cluster", Access.OPERATE, help_text="values that hold for this cluster")
    storageid = RootRef("storage.StoragePool", Access.OPERATE, help_text="values that hold for this storage pool")
    imagestoreuuid = RootRef("images.ImageStore", Access.OPERATE, help_text="values that hold for this image store")
    page = Page(help_text="the page, from 1; with pagesize")
    pagesize = Int(help_text="the rows of a page, with page; -1 for all")

    def run(self, page: int | None = None, pagesize: int | None = None, **given: Any) -> dict[str, Any]:
        start, size = bounds(page, pagesize)
        STORE.forget()  # whoever has just changed one wants to see it, whichever process answers
        names = ("name", "keyword", "category", "group", "subgroup")
        words = {name: str(given.pop(name, "")).rstrip(" ").lower() for name in names}
        row = one_row(self.caller, given)
        found = list(chosen(row, **words))
        shown = found[start:] if size is None else found[start : start + size]
        rows = [entry(each, row, self.caller) for each in shown]
        answer = {"count": len(found)} if found else {}
        return answer | ({"configuration": rows} if rows else {})


def chosen(row: Any | None, name: str, keyword: str, category: str, group: str, subgroup: str) -> Iterator[Known]:
    exact = {name} & {each.lower() for each in known()}
    for each in known().values():
        setting = each.setting
        if each.is_hidden or (row is not None and kind_of(row) not in kinds_for(setting)):
            continue
        wanted = ((category, setting.category), (group, each.group), (subgroup, each.subgroup))
        if any(word and word != value.lower() for word, value in wanted):
            continue
        own = each.name.lower()
        if (own != name) if exact else (name not in own):
            continue
        if keyword and not any(keyword in text.lower() for text in (each.name, setting.category, setting.help_text)):
            continue
        yield each


class OfOne(Command):
    """One setting, and whose value of it is meant."""

    name = Str(required=True, help_text="name of the setting")
    accountid = Ref("accounts.Account", Access.OPERATE, help_text="the value of this account")
    domainid = Ref("domains.Domain", Access.OPERATE, help_text="the value of this domain")
    zoneid = RootRef("infrastructure.Zone", Access.OPERATE, help_text="the value of this zone")
    clusterid = RootRef("infrastructure.Cluster", Access.OPERATE, help_text="the value of this cluster")
    storageid = RootRef("storage.StoragePool", Access.OPERATE, help_text="the value of this storage pool")

    def answer(self, each: Known, row: Any | None) -> dict[str, Any]:
        STORE.forget()
        return {"configuration": entry(each, row, self.caller)}


@command("updateConfiguration", roles=DOMAIN, event="CONFIGURATION.VALUE.EDIT", response=ConfigurationResponse)
class UpdateConfiguration(OfOne):
    """Sets the value of a setting: globally, or for one zone, cluster, pool, store, account or domain."""

    value = Str(length=4096, secret=True, help_text="the new value; without it nothing changes")
    imagestoreuuid = RootRef("images.ImageStore", Access.OPERATE, help_text="the value of this image store")

    @classmethod
    def event_text(cls, values: Mapping[str, Any]) -> str:
        each = known().get(values["name"])
        shown = each is not None and not each.setting.secret and "value" in values
        return f"{values['name']} to {values['value']!r}" if shown else values["name"]

    def run(self, name: str, value: str | None = None, **rows: Any) -> dict[str, Any]:
        each = find(name)
        if not self.caller.is_root and not any(rows.values()):
            raise InvalidParameter("accountid or domainid: say for which of them the value is")
        row = one_row(self.caller, rows)
        services.place_of(each, row)
        if value is not None:
            services.write(caller=self.caller, known=each, text=value, row=row)
        return self.answer(each, row)


@command("resetConfiguration", roles=ROOT, event="CONFIGURATION.VALUE.EDIT", response=ConfigurationResponse)
class ResetConfiguration(OfOne):
    """Gives a setting the value back that it has by itself: the default, or what holds around the row."""

    imagestoreid = RootRef("images.ImageStore", Access.OPERATE, help_text="the value of this image store")

    @classmethod
    def event_text(cls, values: Mapping[str, Any]) -> str:
        return f"{values['name']} to its default"

    def run(self, name: str, **rows: Any) -> dict[str, Any]:
        each, row = find(name), one_row(self.caller, rows)
        services.reset(known=each, row=row)
        return self.answer(each, row)


class ConfigurationGroupResponse(Plain):
    wire_name = "configurationgroup"
    fields = {"name": "string", "description": "string", "precedence": "long", "subgroup": "list"}


@command("listConfigurationGroups", roles=ROOT, response=ConfigurationGroupResponse)
class ListConfigurationGroups(MemoryListCommand):
    """Lists the groups of settings, as a page of settings shows them."""

    group = Str(help_text="list the one with this name")

    def entries(self, group: str = "", keyword: str = "", **given: Any) -> list[dict[str, Any]]:
        found = []
        for name, precedence in sorted(groups().items(), key=lambda pair: pair[1]):
            if (group and group.lower() != name.lower()) or keyword.lower() not in name.lower():
                continue
            parts = sorted({each.subgroup for each in known().values() if each.group == name})
            subgroups = [{"name": part, "precedence": place} for place, part in enumerate(parts, 1)]
            about = f"Settings of {name.lower()}"
            found.append({"name": name, "description": about, "precedence": precedence, "subgroup": subgroups})
        return found
