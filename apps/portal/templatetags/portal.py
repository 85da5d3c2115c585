"""Tags of the portal's templates: every component by its name, `{% asset %}`, and the filters of `looks`."""

from collections.abc import Callable
from typing import Any

from django import template
from django.template.base import FilterExpression, Node, NodeList, Parser, Token, token_kwargs
from django.utils.safestring import SafeString, mark_safe

from apps.portal import looks, statics
from apps.portal.components import COMPONENTS, Component, attributes

register = template.Library()


class ComponentNode(Node):
    def __init__(self, cls: type[Component], given: dict[str, FilterExpression], slot: NodeList | None):
        self.cls, self.given, self.slot = cls, given, slot

    def render(self, context: template.Context) -> SafeString:
        values: dict[str, Any] = {name: each.resolve(context) for name, each in self.given.items()}
        if self.slot is not None:
            values["slot"] = self.slot.render(context)
        return mark_safe(self.cls(**values).html())  # noqa: S308 - components escape what they are given


def _compiler(tag: str, cls: type[Component]) -> Callable[[Parser, Token], ComponentNode]:
    takes, needs = attributes(cls)

    def compile_(parser: Parser, token: Token) -> ComponentNode:
        bits = token.split_contents()[1:]
        given = token_kwargs(bits, parser)
        if bits:
            raise template.TemplateSyntaxError(f"{tag}: {bits[0]} is no attribute=value")
        if unknown := given.keys() - takes:
            raise template.TemplateSyntaxError(f"{tag} takes no {', '.join(sorted(unknown))}")
        if missing := needs - given.keys():
            raise template.TemplateSyntaxError(f"{tag} needs {', '.join(sorted(missing))}")
        slot = None
        if cls.has_slot:
            slot = parser.parse((f"end{tag}",))
            parser.delete_first_token()
        return ComponentNode(cls, given, slot)

    return compile_


for _tag, _cls in COMPONENTS.items():
    register.tag(_tag, _compiler(_tag, _cls))

register.simple_tag(statics.url_of, name="asset")
register.filter("moment", looks.moment)
register.filter("moment_in_full", looks.moment_in_full)
register.filter("number", looks.number)
register.filter("size", looks.size)
