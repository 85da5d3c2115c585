"""Templates and ISOs: two kinds of rows of one model."""

from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.portal.kinds import Action, Kind
from apps.portal.visits import NotFound, Row, Visit


class ImageKind(Kind):
    """The list wants to be told whose images are meant: an administrator sees all, a tenant what it may use or owns."""

    @property
    def word(self) -> str:
        return "isofilter" if self.listing == "listIsos" else "templatefilter"

    def asked(self, visit: Visit) -> dict[str, str]:
        return {self.word: "all" if visit.who.is_root else "executable"}

    def one_of(self, visit: Visit, key: str) -> Row:
        try:
            return super().one_of(visit, key)
        except NotFound:  # its own, that is not ready yet
            return visit.one(self.listing, **{self.word: "self", "id": key})

    def can_list(self, given: Any) -> bool:
        return True


def _theirs(row: Row) -> Any:
    return _("it belongs to the product") if row.get("templatetype") in ("SYSTEM", "BUILTIN") else None


TEMPLATE = ImageKind(
    "images.Template",
    _("template"),
    _("templates"),
    _("Templates"),
    "template",
    "listTemplates",
    "templates",
    titles=("displaytext", "name"),
    choosing={"templatefilter": "executable"},
    creating="registerTemplate",
    searched=True,
    actions=(
        Action("updateTemplate", "edit", asks=True, given={"id": "id"}, unless=_theirs),
        Action("deleteTemplate", "trash", asks=True, danger=True, given={"id": "id"}, unless=_theirs),
    ),
)
ISO = ImageKind(
    "images.Template/iso",
    _("ISO"),
    _("ISOs"),
    _("ISOs"),
    "disc",
    "listIsos",
    "isos",
    titles=("displaytext", "name"),
    choosing={"isofilter": "executable"},
    creating="registerIso",
    searched=True,
    actions=(
        Action("updateIso", "edit", asks=True, given={"id": "id"}),
        Action("deleteIso", "trash", asks=True, danger=True, given={"id": "id"}),
    ),
)
