"""Parameters that name rows: always by label, resolved at start, so that any app may name any row."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from django.apps import apps
from rest_framework.fields import empty

from apps.core.callers import Access, Caller
from apps.core.errors import NOT_YOURS, PermissionDenied
from apps.core.rows import Row
from apps.core.scope import owner_of_new
from apps.core.wire import UNKNOWN, Bad, Field, Str, Uuid, canonical_uuid


class ByLabel(Uuid):
    """Knows its model by label; labels are checked when all apps are loaded."""

    to = ""  # "storage.Volume"

    @property
    def model(self) -> type[Row]:
        return apps.get_model(self.to)


class Ref(ByLabel):
    """A row this caller may reach for this access: unknown is 431, out of reach 531. There is no default access."""

    def __init__(self, to: str, access: Access, **given: Any):
        super().__init__(**given)
        self.to, self.access = to, access

    def parse(self, text: str, caller: Caller) -> Any:
        if text == "-1" and self.minus_one:
            return -1
        uuid, model = canonical_uuid(text), self.model
        known = model.all_tenants.filter(model.named, uuid=uuid)
        row = known.filter(model.reach.q(caller, self.access)).first()
        if row is not None:
            return row
        if known.exists():
            raise PermissionDenied(NOT_YOURS)
        raise Bad(UNKNOWN)


class RefFilter(ByLabel):
    """A filter of a list by a row: unknown is 431, one that is removed or foreign finds nothing."""

    def __init__(self, to: str, lookup: str, **given: Any):
        super().__init__(lookup=lookup, **given)
        self.to = to

    def parse(self, text: str, caller: Caller) -> Any:
        if text == "-1" and self.minus_one:
            return -1
        known = self.model.including_removed.filter(self.model.named, uuid=canonical_uuid(text))
        key = known.values_list("pk", flat=True).first()
        if key is None:
            raise Bad(UNKNOWN)
        return key


class Compound(Field):
    """Several parameters that say one thing together; ``parts`` are what the client sees."""

    parts: ClassVar[dict[str, Field]] = {}

    def given_parts(self, given: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        values = {part: field.read(part, given, caller) for part, field in self.parts.items()}
        return {part: None if value is empty else value for part, value in values.items()}


class Owner(Compound):
    """``account``, ``domainid``, ``projectid`` of a creating command; yields the account that will own the row."""

    parts: ClassVar[dict[str, Field]] = {
        "account": Str(help_text="owner, with domainid"),
        "domainid": Uuid(help_text="domain of the owner"),
        "projectid": Uuid(help_text="project that owns"),
    }

    def read(self, name: str, given: Mapping[str, Any], caller: Caller) -> Any:
        return owner_of_new(caller, **self.given_parts(given, caller))


class GivenOwner(Owner):
    """The same where none of the three means: the owner of the row that the command is about."""

    def read(self, name: str, given: Mapping[str, Any], caller: Caller) -> Any:
        parts = self.given_parts(given, caller)
        return owner_of_new(caller, **parts) if any(parts.values()) else self.default


def wire_names(name: str, field: Field) -> Iterator[tuple[str, Field]]:
    """What a client sees of a field: itself, or its parts."""
    if isinstance(field, Compound):
        yield from field.parts.items()
    else:
        yield name, field
