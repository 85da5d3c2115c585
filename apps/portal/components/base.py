"""How a component is declared, and what all of them use."""

from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import ClassVar, TypeVar, dataclass_transform

from django.template.loader import render_to_string
from django.utils.functional import Promise
from django.utils.safestring import SafeString, mark_safe

from apps.portal import statics

COMPONENTS: dict[str, type["Component"]] = {}
Text = str | Promise
C = TypeVar("C", bound=type["Component"])


class Component:
    tag: ClassVar[str]
    has_slot: ClassVar[bool] = False  # takes what stands between its tags

    def html(self) -> str:
        return render_to_string(f"portal/components/{self.tag.removeprefix('c-')}.html", {"c": self})


@dataclass_transform(kw_only_default=True, frozen_default=True)
def component(cls: C) -> C:
    """Declare a component: attributes are those of a dataclass, ``slot`` takes what stands between its tags."""
    declared = dataclass(frozen=True, kw_only=True)(cls)
    cls.tag = f"c-{cls.__name__.lower()}"
    cls.has_slot = any(each.name == "slot" for each in fields(declared))  # type: ignore[arg-type]
    COMPONENTS[cls.tag] = declared
    return declared  # type: ignore[return-value]


def attributes(cls: type[Component]) -> tuple[set[str], set[str]]:
    """All that it takes, and those that it needs."""
    each = [field for field in fields(cls) if field.name != "slot"]  # type: ignore[arg-type]
    needed = {f.name for f in each if f.default is MISSING and f.default_factory is MISSING}
    return {f.name for f in each}, needed


def sprite(name: str, css: str = "ic", view: str = "") -> str:
    box = f' viewBox="{view}"' if view else ""
    return f'<svg class="{css}"{box} aria-hidden="true"><use href="{statics.url_of("icons.svg")}#{name}"/></svg>'


@cache
def icon(name: str, kind: str = "") -> SafeString:
    return mark_safe(sprite(name, f"ic {kind}".rstrip()))  # noqa: S308 - names of ours
