from typing import Any

from apps.core.callers import ROOT, Access
from apps.core.commands import Command, command
from apps.core.errors import InvalidParameter
from apps.core.lists import MemoryListCommand
from apps.core.refs import Ref
from apps.core.responses import Plain
from apps.core.wire import List, Str, Uuid
from apps.rbac import services
from apps.rbac.models import Role, Rule

PERMISSIONS = ("allow", "deny")


class RolePermissionResponse(Plain):
    wire_name = "rolepermission"
    fields = {
        "id": "string",
        "roleid": "string",
        "rolename": "string",
        "rule": "string",
        "permission": "string",
        "description": "string",
    }


def said(rule: Rule) -> dict[str, Any]:
    text = {"description": rule.description} if rule.description else {}
    permission = "allow" if rule.allow else "deny"
    role = {"roleid": str(rule.role.uuid), "rolename": rule.role.name}
    return {"id": str(rule.uuid), **role, "rule": rule.pattern, "permission": permission, **text}


def found(uuid: str, name: str = "id") -> Rule:
    rule = Rule.objects.select_related("role").filter(uuid=uuid).first()
    if rule is None:
        raise InvalidParameter(f"{name}: there is no rule {uuid}")
    return rule


@command("createRolePermission", roles=ROOT, event="ROLE.PERMISSION.CREATE", response=RolePermissionResponse)
class CreateRolePermission(Command):
    """Adds a rule at the end of a role's rules."""

    roleid = Ref("rbac.Role", Access.OPERATE, source="role", required=True, help_text="the role")
    rule = Str(required=True, source="pattern", length=96, help_text="name of a command; * stands for any letters")
    permission = Str(required=True, choices=PERMISSIONS, help_text="allow or deny")
    description = Str(help_text="why")

    def run(self, role: Role, pattern: str, permission: str, description: str = "") -> dict[str, Any]:
        allow = permission == "allow"
        rule = services.add_rule(role=role, pattern=pattern, allow=allow, description=description)
        services.check_not_more(self.caller, role)
        return {"rolepermission": said(rule)}


@command("updateRolePermission", roles=ROOT, event="ROLE.PERMISSION.UPDATE", response=None)
class UpdateRolePermission(Command):
    """Turns a rule round, or puts all rules of a role in another order."""

    roleid = Ref("rbac.Role", Access.OPERATE, source="role", required=True, help_text="the role")
    ruleid = Uuid(help_text="the rule to turn round, with permission")
    permission = Str(choices=PERMISSIONS, help_text="allow or deny")
    ruleorder = List(of=Uuid(), help_text="all rules of the role, in their new order")

    def run(self, role: Role, **given: Any) -> None:
        self._change(role, **given)
        services.check_not_more(self.caller, role)

    def _change(self, role: Role, ruleid: str = "", permission: str = "", ruleorder: list[str] | None = None) -> None:
        if ruleorder:
            if ruleid or permission:
                raise InvalidParameter("ruleorder: not together with ruleid or permission")
            return services.order_rules(role=role, keys=[found(uuid, "ruleorder").pk for uuid in ruleorder])
        if not (ruleid and permission):
            raise InvalidParameter("ruleorder, or ruleid with permission, must say what changes")
        return services.set_permission(rule=found(ruleid, "ruleid"), allow=permission == "allow")


@command("deleteRolePermission", roles=ROOT, event="ROLE.PERMISSION.DELETE", response=None)
class DeleteRolePermission(Command):
    """Deletes a rule."""

    id = Uuid(required=True, help_text="the rule")

    def run(self, id: str) -> None:
        rule = found(id)
        services.delete_rule(rule=rule)
        services.check_not_more(self.caller, rule.role)


@command("listRolePermissions", roles=ROOT, response=RolePermissionResponse)
class ListRolePermissions(MemoryListCommand):
    """Lists the rules of a role, or of all, in the order in which they are asked."""

    roleid = Ref("rbac.Role", Access.LIST, source="role", help_text="the role")
    keyword = page = pagesize = None

    def entries(self, role: Role | None = None, **given: Any) -> list[dict[str, Any]]:
        rules = Rule.objects.select_related("role").filter(role__removed=None).order_by("role", "order")
        return [said(rule) for rule in (rules.filter(role=role) if role else rules)]
