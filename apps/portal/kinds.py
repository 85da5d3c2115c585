"""Kinds of rows that have pages: what people call them, what lists them, what can be done with them.

Each room of the portal declares its own in its `kinds.py`; links, forms and menus find them by the label of the model.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core.commands import REGISTRY
from apps.core.refs import Ref
from apps.portal import looks
from apps.portal.visits import Row, Visit
from apps.portal.words import verb

Text = str | Promise
KINDS: dict[str, "Kind"] = {}
Reason = Callable[[Row], Text | None]


@dataclass(frozen=True)
class Action:
    """A command about one row. ``states`` are those in which it is possible, none for any; ``unless`` says why not
    beyond them. One that ``asks`` leads to a form or a confirmation, the others are carried out at once.
    """

    command: str
    icon: str
    states: tuple[str, ...] = ()
    asks: bool = False
    danger: bool = False
    unless: Reason | None = None
    given: Mapping[str, str] = field(default_factory=dict)  # parameter -> field of the row, where it is not its Ref
    fixed: Mapping[str, str] = field(default_factory=dict)  # parameter -> value
    word: Text = ""  # where the verb of the command says too little here
    tab: str = ""  # of the row's page, which it leads to instead of a form
    waits: bool = True  # for a job about the row that is under way
    shown: Callable[[Row], bool] = lambda row: True  # absent where it has no meaning

    @property
    def label(self) -> str:
        return str(self.word or verb(self.command))

    def params(self, kind: "Kind", row: Row) -> dict[str, str]:
        names = dict(self.given) or {ref_to(self.command, kind.label): kind.key}
        return {name: str(row[source]) for name, source in names.items() if source in row} | dict(self.fixed)

    def why_not(self, row: Row) -> Text:
        """ "" where it is possible."""
        if self.waits and row.get("jobid") and not row.get("jobstatus"):
            return _("a job about it is under way")
        if self.states and row.get("state") not in self.states:
            return _("it is %(state)s") % {"state": looks.state_label(row.get("state", ""))}
        return (self.unless(row) if self.unless else None) or ""


@dataclass(frozen=True)
class Offer:
    """An action as it stands for one row."""

    action: Action
    kind: "Kind"
    row: Row
    why_not: Text

    @property
    def url(self) -> str:
        if self.action.tab:
            return f"{self.kind.url(str(self.row[self.kind.key]))}/{self.action.tab}"
        return f"/do/{self.action.command}?{urlencode(self.action.params(self.kind, self.row))}"

    @property
    def value(self) -> str:
        """Of the button that carries it out."""
        return f"{self.action.command} {self.row.get(self.kind.key, '')}"


@dataclass(frozen=True, eq=False)
class Kind:
    label: str  # of the model
    one: Text  # in a sentence: "machine"
    plural: Text  # "machines"
    many: Text  # as a title: "Machines"
    icon: str
    listing: str  # the command that lists them
    at: str  # first part of the addresses of their pages; "" without pages
    titles: tuple[str, ...] = ("name",)  # fields that call a row by name, the best first
    key: str = "id"
    asking: Mapping[str, str] = field(default_factory=dict)  # parameters that the list always gets
    brief: Mapping[str, str] = field(default_factory=dict)  # parameters of a list that wants little of each row
    choosing: Mapping[str, str] = field(default_factory=dict)  # those of a choice among its rows
    actions: Sequence[Action] = ()
    creating: str = ""  # the command that makes one
    has_page: bool = True
    searched: bool = False  # by the field in the header

    def __post_init__(self) -> None:
        if self.label in KINDS:
            raise TypeError(f"kind {self.label} is declared twice")
        KINDS[self.label] = self

    def title(self, row: Row) -> str:
        return str(next((row[name] for name in self.titles if row.get(name)), row.get(self.key, "")))

    def counted(self, number: int) -> str:
        return f"{looks.number(number)} {self.one if number == 1 else self.plural}"

    def url(self, key: str = "") -> str:
        return f"/{self.at}/{key}" if key else f"/{self.at}"

    def offers(self, visit: Visit, row: Row, *, only: Sequence[str] = ()) -> list[Offer]:
        """What this role can do with the row; absent is what it may never do."""
        return [
            Offer(action, self, row, action.why_not(row))
            for action in self.actions
            if (not only or action.command in only) and visit.may(action.command) and action.shown(row)
        ]

    def action(self, command: str) -> Action | None:
        return next((action for action in self.actions if action.command == command), None)

    def rows(self, visit: Visit, **params: Any) -> Any:
        return visit.list(self.listing, **(self.scope(visit) | self.asked(visit) | params))

    def own(self, visit: Visit, **params: Any) -> Any:
        """Of the caller's account, and what is shared with it: what it can use for something of its own."""
        return visit.list(self.listing, **(self.asked(visit) | params))

    def asked(self, visit: Visit) -> dict[str, str]:
        """What a list is always told, whoever asks."""
        return dict(self.asking)

    def can_list(self, given: Mapping[str, Any]) -> bool:
        """All that the list command requires is given."""
        needed = {name for name, declared in REGISTRY[self.listing].fields.items() if declared.required}
        return needed <= {*given, *self.asking, *self.choosing}

    def one_of(self, visit: Visit, key: str) -> Row:
        from apps.core.wire import Bad, canonical_uuid
        from apps.portal.visits import NotFound

        if self.key == "id":
            try:
                canonical_uuid(key)
            except Bad:
                raise NotFound from None
        return visit.one(self.listing, **self.asked(visit), **{self.key: key})

    def scope(self, visit: Visit) -> dict[str, str]:
        """All that the caller may see; for a tenant that is its own."""
        return {"listall": "true"} if "listall" in REGISTRY[self.listing].fields else {}


def ref_to(command: str, label: str) -> str:
    """The parameter of a command that names a row of this model."""
    fields = REGISTRY[command].fields
    found = [name for name, ref in fields.items() if isinstance(ref, Ref) and ref.to == label]
    return "id" if "id" in found or not found else found[0]


def kind_of(label: str) -> Kind | None:
    return KINDS.get(label)


NEEDS_STOP = gettext_lazy("stop it first")
