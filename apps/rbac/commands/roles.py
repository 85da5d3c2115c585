from typing import Any

from apps.core.callers import DOMAIN, ROOT, Access, Kind
from apps.core.commands import Command, command
from apps.core.errors import InvalidParameter
from apps.core.lists import ListCommand
from apps.core.refs import Ref
from apps.core.responses import Computed, Field, Response
from apps.core.wire import Bool, Str
from apps.rbac import services
from apps.rbac.models import TYPES, Role

CHOICES = tuple(TYPES.values())


class RoleResponse(Response):
    wire_name = "role"
    model = "rbac.Role"

    id = Field("uuid")
    name = Field()
    type = Computed(("kind",), lambda kind: TYPES[Kind(kind)])
    description = Field()
    isdefault = Field("is_default")
    ispublic = Field("is_public")
    state = Computed(("enabled",), lambda on: "enabled" if on else "disabled")


def role_ref() -> Ref:
    return Ref("rbac.Role", Access.OPERATE, source="role", required=True, help_text="the role")


@command("createRole", roles=ROOT, event="ROLE.CREATE", response=RoleResponse)
class CreateRole(Command):
    """Creates a role, of a type or with the rules of another role."""

    name = Str(required=True, length=64, help_text="the name, unique")
    description = Str(help_text="what it is for")
    ispublic = Bool(source="is_public", default=True, help_text="may domain administrators see and give it")
    type = Str(choices=CHOICES, source="kind", help_text="Admin, ResourceAdmin, DomainAdmin or User")
    roleid = Ref("rbac.Role", Access.USE, source="like", help_text="take type and rules of this role")

    def run(self, name: str, kind: str = "", like: Role | None = None, **more: Any) -> Role:
        if bool(kind) == (like is not None):
            raise InvalidParameter("type or roleid: one of them must be given, not both")
        number = Kind(like.kind) if like else services.KINDS[kind]
        return services.create(name=name, kind=number, like=like, **more)


@command("updateRole", roles=ROOT, event="ROLE.UPDATE", response=RoleResponse)
class UpdateRole(Command):
    """Changes a role that is not one of the default ones."""

    id = role_ref()
    name = Str(length=64, help_text="the new name")
    description = Str(help_text="what it is for")
    ispublic = Bool(source="is_public", help_text="may domain administrators see and give it")
    type = Str(choices=CHOICES, source="kind", help_text="Admin, ResourceAdmin, DomainAdmin or User")

    def run(self, role: Role, kind: str = "", **changes: Any) -> Role:
        if kind:
            changes["kind"] = services.KINDS[kind]
        services.update(role=role, **changes)
        return role


@command("deleteRole", roles=ROOT, event="ROLE.DELETE", response=None)
class DeleteRole(Command):
    """Deletes a role that no account has."""

    id = role_ref()

    def run(self, role: Role) -> None:
        services.delete(role=role)


@command("enableRole", roles=ROOT, event="ROLE.ENABLE", response=None)
class EnableRole(Command):
    """Enables a role."""

    id = role_ref()

    def run(self, role: Role) -> None:
        services.update(role=role, enabled=True)


@command("disableRole", roles=ROOT, event="ROLE.DISABLE", response=None)
class DisableRole(Command):
    """Disables a role: accounts that have it may call nothing."""

    id = role_ref()

    def run(self, role: Role) -> None:
        services.update(role=role, enabled=False)


@command("listRoles", roles=DOMAIN, response=RoleResponse)
class ListRoles(ListCommand):
    """Lists roles."""

    model = "rbac.Role"
    keyword_in = ("name", "description")
    filters = {"name": "name", "type": Str(), "state": Str()}

    def narrow(self, rows: Any, given: dict[str, Any]) -> Any:
        if "type" in given:
            rows = rows.filter(kind=services.KINDS.get(given["type"], 0))
        if "state" in given:
            rows = rows.filter(enabled=given["state"].lower() == "enabled")
        return rows
