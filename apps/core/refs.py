"""Parameters that name rows: always by label, resolved at start, so that any app may name any row."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar
from uuid import UUID

from django.apps import apps
from rest_framework.fields import empty

from apps.core.callers import Access, Caller, Place
from apps.core.errors import NOT_YOURS, PermissionDenied
from apps.core.prepared import Prepared, Slot
from apps.core.rows import Row
from apps.core.scope import owner_of_new
from apps.core.wire import MISSING, REMOVED, UNKNOWN, Bad, Field, Str, Uuid, canonical_uuid, escaped, uuid_or_none


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

    def many(self, pieces: Sequence[str], caller: Caller) -> Mapping[str, Any]:
        """By one query; what it does not find is asked for again, to say what is wrong with it."""
        if type(self).parse is not Ref.parse:
            return {}
        return _by_piece(self.model.all_tenants.filter(self.model.reach.q(caller, self.access)), pieces)

    def parse(self, text: str, caller: Caller) -> Any:
        if text == "-1" and self.minus_one:
            return -1
        uuid, model = canonical_uuid(text), self.model
        row = _reached(model, self.access, caller.place).first(uuid=UUID(uuid))
        if row is not None:
            return row
        if model.all_tenants.filter(model.named, uuid=uuid).exists():
            raise PermissionDenied(NOT_YOURS)
        if model.including_removed.filter(model.reach.q(caller, self.access), model.named, uuid=uuid).exists():
            raise Bad(REMOVED)
        raise Bad(UNKNOWN)


@lru_cache(maxsize=256)
def _reached(model: type[Row], access: Access, place: Place) -> Prepared:
    """By uuid. Whoever names one row names the next one soon, and the worker names it again."""
    return Prepared(lambda: model.all_tenants.filter(model.named, model.reach.q(place, access), uuid=Slot("uuid")))


def _by_piece(rows: Any, pieces: Sequence[str]) -> dict[str, Any]:
    """Those of ``rows`` that the pieces of a list name; two spellings of an id are two pieces."""
    if len(pieces) < 2:
        return {}
    named = {piece: uuid for piece in set(pieces) if (uuid := uuid_or_none(piece))}
    found = {str(row.uuid): row for row in rows.filter(rows.model.named, uuid__in=set(named.values()))}
    return {piece: found[uuid] for piece, uuid in named.items() if uuid in found}


class Refs(ByLabel):
    """A list of rows, each as ``Ref`` takes it, by two queries whatever their number."""

    wire_type = "list"

    def __init__(self, to: str, access: Access, **given: Any):
        super().__init__(**given)
        self.to, self.access = to, access

    def parse(self, text: str, caller: Caller) -> Any:
        model = self.model
        wanted = {canonical_uuid(piece, piece): piece for piece in text.split(",") if piece}
        known = model.all_tenants.filter(model.named, uuid__in=wanted)
        rows = {str(row.uuid): row for row in known.filter(model.reach.q(caller, self.access))}
        if missing := wanted.keys() - rows.keys():
            foreign = {str(uuid) for uuid in known.filter(uuid__in=missing).values_list("uuid", flat=True)}
            if nobodys := missing - foreign:
                raise Bad(UNKNOWN.replace("{value}", escaped(wanted[min(nobodys)])))
            raise PermissionDenied(NOT_YOURS)
        return [rows[uuid] for uuid in wanted]


class RefFilter(ByLabel):
    """A filter of a list by a row: unknown is 431, one that is removed or foreign finds nothing."""

    def __init__(self, to: str, lookup: str, **given: Any):
        super().__init__(lookup=lookup, **given)
        self.to = to

    def many(self, pieces: Sequence[str], caller: Caller) -> Mapping[str, Any]:
        found = (
            _by_piece(self.model.including_removed.only("pk", "uuid"), pieces)
            if type(self).parse is RefFilter.parse
            else {}
        )
        return {piece: row.pk for piece, row in found.items()}

    def parse(self, text: str, caller: Caller) -> Any:
        if text == "-1" and self.minus_one:
            return -1
        known = self.model.including_removed.filter(self.model.named, uuid=canonical_uuid(text))
        key = known.values_list("pk", flat=True).first()
        if key is None:
            raise Bad(UNKNOWN)
        return key


class Known(ByLabel):
    """The id of a row that is there, or was: unknown is 431. Whether this caller may name it is decided with the others
    of its kind: ``domainid`` with ``account``.
    """

    def __init__(self, to: str, **given: Any):
        super().__init__(**given)
        self.to = to

    def parse(self, text: str, caller: Caller) -> str:
        if text == "-1" and self.minus_one:
            return text
        uuid = canonical_uuid(text)
        if not self.model.including_removed.filter(uuid=uuid).exists():
            raise Bad(UNKNOWN)
        return uuid


class Compound(Field):
    """Several parameters that say one thing together; ``parts`` are what the client sees."""

    parts: ClassVar[dict[str, Field]] = {}

    def given_parts(self, given: Mapping[str, Any], caller: Caller) -> dict[str, Any]:
        return {part: self._part(part, field, given, caller) for part, field in self.parts.items()}

    def _part(self, part: str, field: Field, given: Mapping[str, Any], caller: Caller) -> Any:
        """What is wrong is said of the part: clients do not know of the whole."""
        try:
            value = field.read(part, given, caller)
        except Bad as bad:
            why = bad.why.replace("{name}", part)
            raise Bad(why.replace("{value}", escaped(str(given.get(part))))) from None
        if value is empty and field.required:
            raise Bad(MISSING.replace("{name}", part))
        return None if value is empty else value


class Owner(Compound):
    """``account``, ``domainid``, ``projectid`` of a creating command; yields the account that will own the row."""

    parts: ClassVar[dict[str, Field]] = {
        "account": Str(help_text="owner, with domainid"),
        "domainid": Known("domains.Domain", help_text="domain of the owner"),
        "projectid": Known("accounts.Account", help_text="project that owns"),
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
