"""A form for a command: its fields are the parameters, it is sent once, and what was typed is never lost.

Without a class of its own a command has a form too; a class says which fields come first, what is lost, what is kept,
where it leads.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar
from urllib.parse import quote

from django.utils.functional import Promise
from django.utils.translation import gettext as _

from apps.core import wire
from apps.core.commands import REGISTRY, AsyncCommand, Spec
from apps.core.errors import CloudError
from apps.core.refs import Owner, Ref, wire_names
from apps.portal import words
from apps.portal.frame import fields as form_fields
from apps.portal.frame.fields import FormField, Option
from apps.portal.kinds import KINDS, Action, Kind, kind_of
from apps.portal.labels import HINTS
from apps.portal.models import Begun
from apps.portal.visits import Row, Visit

Text = str | Promise
FORMS: dict[str, type["Form"]] = {}
NEVER = {"customjobid", "fordisplay", "displayvm", "displaynetwork", "id"} | set(Owner.parts)  # asked by no form


class Form:
    command: ClassVar[str] = ""
    first: ClassVar[Sequence[str]] = ()  # in this order; what is required comes by itself
    folded: ClassVar[Sequence[str] | None] = None  # under "More"; None: all that is left
    labels: ClassVar[Mapping[str, Text]] = {}
    hints: ClassVar[Mapping[str, Text]] = {}
    nothings: ClassVar[Mapping[str, Text]] = {}  # the option for none of an optional choice
    note: ClassVar[Text] = ""  # above the fields
    danger: ClassVar[bool] = False
    types_name: ClassVar[bool] = False  # has to be typed, where nothing brings it back
    lost: ClassVar[Sequence[Text]] = ()
    kept: ClassVar[Sequence[Text]] = ()
    about: ClassVar[tuple[str, str] | None] = None  # label of a kind, and the parameter that names its row
    is_loose: ClassVar[bool] = False  # makes sense without that row too
    template: ClassVar[str] = "portal/do.html"

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if "command" in vars(cls):
            FORMS[cls.command] = cls

    def __init__(self, visit: Visit, name: str, given: Mapping[str, Any]):
        """``given``: the query of the page, and over it what was typed."""
        self.visit, self.name, self.given = visit, name, given
        self.errors: dict[str, Text] = {}
        self.error: Text = ""  # about no single field

    @property
    def spec(self) -> Spec:
        return REGISTRY[self.name]

    # what it is about

    @cached_property
    def place(self) -> tuple[Kind, str] | None:
        """The kind of row that the command is about, and the parameter that names it: where it is an action of a kind,
        or as the class says.
        """
        if self.about:
            kind = kind_of(self.about[0])
            return (kind, self.about[1]) if kind else None
        for name, ref in self.spec.fields.items():
            if isinstance(ref, Ref) and (kind := kind_of(ref.to)) and kind.action(self.name):
                return kind, name
        named = (kind for kind in KINDS.values() if kind.key == "name" and kind.action(self.name))
        return next(((kind, "name") for kind in named), None)

    @cached_property
    def subject(self) -> tuple[Kind, str] | None:
        """The same, once it was named in the address."""
        return self.place if self.place and self.given.get(self.place[1]) else None

    @property
    def which_label(self) -> Text:
        return self.place[0].one if self.place else ""

    @property
    def none_said(self) -> str:
        return _("There is no %(kind)s.") % {"kind": self.which_label}

    @property
    def asks_which(self) -> bool:
        return bool(self.place and not self.subject and not self.is_loose)

    @property
    def which(self) -> list[Option]:
        """The rows that it could be about."""
        assert self.place is not None  # noqa: S101 - asks_which
        kind = self.place[0]
        if not kind.can_list({}):  # its rows are found on the page of what they belong to
            return []
        rows = kind.rows(self.visit, page=1, pagesize=form_fields.MOST).rows
        return [Option(str(row[kind.key]), kind.title(row)) for row in rows]

    @cached_property
    def row(self) -> Row:
        """NotFound for what is unknown and what is somebody else's."""
        if self.subject is None:
            return {}
        kind, name = self.subject
        return kind.one_of(self.visit, str(self.given[name]))

    @property
    def action(self) -> Action | None:
        return self.subject[0].action(self.name) if self.subject else None

    @property
    def row_title(self) -> str:
        return self.subject[0].title(self.row) if self.subject else ""

    @property
    def verb(self) -> str:
        return self.action.label if self.action else str(words.verb(self.name))

    @property
    def title(self) -> str:
        """A question where something goes; else what will be done."""
        if self.subject is None:
            return self.verb
        return _("%(verb)s %(name)s?" if self.is_question else "%(verb)s: %(name)s") % {
            "verb": self.verb,
            "name": self.row_title,
        }

    @property
    def is_question(self) -> bool:
        return self.danger or not self.fields

    @property
    def button(self) -> str:
        """Repeats the verb and the name where something goes."""
        return (
            words.doing(self.verb, self.row_title)
            if self.is_question and self.subject
            else str(words.sending(self.name))
        )

    @property
    def icon(self) -> str:
        return self.action.icon if self.action else ""

    @property
    def why_not(self) -> Text:
        return self.action.why_not(self.row) if self.action and self.subject else ""

    @property
    def why_not_said(self) -> str:
        return _("%(verb)s is not possible: %(why)s. Nothing was sent.") % {"verb": self.verb, "why": self.why_not}

    # its fields

    @property
    def hidden(self) -> dict[str, str]:
        """What the address has said: it is shown in the title, or was chosen before."""
        names = [self.subject[1]] if self.subject else []
        names += list(self.action.fixed) if self.action else []
        return {name: str(self.given[name]) for name in names if name in self.given} | self.more_hidden()

    def more_hidden(self) -> dict[str, str]:
        return {}

    @cached_property
    def declared(self) -> dict[str, wire.Field]:
        """Parameters that this caller can give and that are asked."""
        every = {n: f for name, field in self.spec.fields.items() for n, f in wire_names(name, field)}
        never = NEVER if not isinstance(every.get("id"), Ref) else NEVER - {"id"}
        asked = {n: f for n, f in every.items() if n not in never and self.visit.who.kind & f.allowed}
        return {n: f for n, f in asked.items() if n not in self.hidden}

    @cached_property
    def shown_first(self) -> list[str]:
        needed = [name for name, field in self.declared.items() if field.required]
        return list(dict.fromkeys(n for n in (*self.first, *needed) if n in self.declared))

    @cached_property
    def shown_folded(self) -> list[str]:
        names = list(self.declared) if self.folded is None else self.folded
        return [name for name in names if name in self.declared and name not in self.shown_first]

    @cached_property
    def fields(self) -> list[FormField]:
        made = [self.field(name) for name in self.shown_first]
        return sorted(made, key=lambda field: field.kind == "check")  # boxes to tick come last, one below the other

    @cached_property
    def folded_fields(self) -> list[FormField]:
        return [f for f in (self.field(name) for name in self.shown_folded) if f.kind != "map"]

    @property
    def is_unfolded(self) -> bool:
        return any(field.error or field.name in self.given for field in self.folded_fields)

    def field(self, name: str) -> FormField:
        declared = self.declared[name]
        made = form_fields.field_of(self.visit, name, declared, self.value(name), self.options(name))
        made.label = self.labels.get(name, made.label)
        made.hint = self.hints.get(name, HINTS.get(name, made.hint))
        made.nothing, made.error = self.nothings.get(name, ""), self.errors.get(name, "")
        if isinstance(declared, wire.Map):
            made.kind = "map"  # no field: a form that wants one draws it itself
        return self.dressed(made)

    def dressed(self, made: FormField) -> FormField:
        """For a class that wants more of a field than its declaration says."""
        return made

    def options(self, name: str) -> list[Option] | None:
        """None: those of the declaration, of the rows that ``narrow`` leaves."""
        declared, value = self.declared[name], self.value(name)
        chosen = value if isinstance(value, list) else [str(value or "")]
        return form_fields.options_of(self.visit, declared, chosen, **self.narrow(name))

    def narrow(self, name: str) -> dict[str, Any]:
        """Parameters of the list behind a choice: those of the same zone, for one."""
        return {}

    def initial(self) -> Mapping[str, Any]:
        """What is so now, in a form that changes a row."""
        return {}

    def value(self, name: str) -> Any:
        if name in self.given:
            return self.given[name]
        return self.initial().get(name)

    # what is sent

    def params(self) -> dict[str, Any]:
        """Of what was typed: what is empty, or as it is by itself, is left out."""
        found: dict[str, Any] = dict(self.hidden)
        for name, declared in self.declared.items():
            value = self.given.get(name, "")
            if isinstance(declared, wire.Bool):
                if name in self.given.get("_checks", ()):
                    self._check(found, name, declared, value == "true")
            elif isinstance(declared, wire.List):
                self._several(found, name, value)
            elif value not in ("", None) and str(value) != str(self.initial().get(name, "")):
                found[name] = value
        return found

    def _check(self, found: dict[str, Any], name: str, declared: wire.Bool, on: bool) -> None:
        if on != (str(self.initial().get(name, declared.default)).lower() == "true"):
            found[name] = "true" if on else "false"

    def _several(self, found: dict[str, Any], name: str, value: Any) -> None:
        """Ticked, or typed with commas; a row that has some can be left with none."""
        given = ",".join(each for each in value if each) if isinstance(value, list) else str(value or "")
        if name in self.given and given != str(self.initial().get(name) or ""):
            found[name] = given

    def preview(self) -> dict[str, Any]:
        return self.params()

    def check(self, params: Mapping[str, Any]) -> None:
        """What can be seen before anything is sent; fills ``errors``."""
        for name in self.shown_first:
            if self.declared[name].required and name not in params:
                self.errors[name] = _("This is needed")
        if self.types_name and self.given.get("_typed", "") != self.row_title:
            self.errors["typed"] = _("Type %(name)s as it is written above") % {"name": self.row_title}

    def refuse(self, error: CloudError, text: str) -> None:
        names = [*self.shown_first, *self.shown_folded]
        name, said = form_fields.about(error, text, names)
        if name:
            self.errors[name] = said
        else:
            self.error = said

    # where it leads

    def went_to(self, begun: Begun, answer: Mapping[str, Any], back: str) -> str:
        """The address to go to; "" where the answer itself is shown, because it is told only once."""
        kind = kind_of(self.model) if self.model else None
        if begun.job and begun.state == Begun.State.PENDING:
            made = kind.url(begun.row) if kind and kind.has_page and begun.row and not self.subject else ""
            return f"/jobs/{begun.job}?next={quote(back or made or self.home, safe='')}"
        key = self._key_of(answer)
        if not back and kind and kind.has_page and key:
            return kind.url(key)
        return back or self.home

    @property
    def model(self) -> str:
        return self.spec.response.model if self.spec.response else ""

    def _key_of(self, answer: Mapping[str, Any]) -> str:
        if self.spec.response is None:
            return ""
        row = answer.get(self.spec.response.wire_name)
        return str(row.get("id", "")) if isinstance(row, dict) else ""

    @property
    def home(self) -> str:
        kind = self.subject[0] if self.subject else kind_of(self.model)
        if kind is None or not kind.at:
            return "/"
        return kind.url(str(self.row[kind.key])) if self.subject and kind.has_page else kind.url()

    @property
    def done_text(self) -> str:
        return _("%(verb)s %(name)s: done") % {"verb": self.verb, "name": self.row_title or self.given.get("name", "")}

    def shown_once(self, answer: Mapping[str, Any]) -> list[tuple[Text, str]]:
        """What only this answer tells."""
        return []

    @property
    def is_async(self) -> bool:
        return issubclass(self.spec.cls, AsyncCommand)
