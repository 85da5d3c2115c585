"""Components: what pages are put together from. Each is a class that declares its attributes; a template that names
another one, or leaves out one that has no default, does not compile.

    {% c-state name=row.state pill=True %}
    {% c-note kind="bad" title=_("Refused") %}why{% endc-note %}

Those that occur a thousand times on a page write their HTML here; the others have a template of their name.
"""

from apps.portal.components.base import COMPONENTS, Component, attributes
from apps.portal.components.blocks import Chart
from apps.portal.components.marks import Meter, State, Use
from apps.portal.components.menus import Item, Menu
from apps.portal.components.pieces import Copy, Link, Tag
from apps.portal.components.steps import Step, WizardStep

__all__ = [
    "COMPONENTS",
    "Chart",
    "Component",
    "Copy",
    "Item",
    "Link",
    "Menu",
    "Meter",
    "State",
    "Step",
    "Tag",
    "Use",
    "WizardStep",
    "attributes",
]
