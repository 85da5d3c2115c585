"""The roles of a fresh installation, as fresh-install.md names them."""

from apps.core.callers import Kind
from apps.core.retry import atomically
from apps.core.seeds import seed
from apps.rbac.models import Role, Rule

READ = (("list*", True), ("get*", True), ("query*", True), ("find*", True), ("is*", True))
SUPPORT_ADMIN = (
    *READ,
    *((name, True) for name in ("prepareHostForMaintenance", "cancelHostMaintenance", "enableStorageMaintenance")),
    *((name, True) for name in ("cancelStorageMaintenance", "restartNetwork", "createVolume", "attachVolume")),
    *((name, True) for name in ("detachVolume", "uploadVolume", "registerTemplate", "registerIso", "attachIso")),
    *((name, True) for name in ("detachIso", "startVirtualMachine", "stopVirtualMachine", "rebootVirtualMachine")),
    *((name, True) for name in ("startRouter", "stopRouter", "rebootRouter", "startSystemVm", "stopSystemVm")),
)
SUPPORT_USER = (
    *READ,
    *((name, True) for name in ("startVirtualMachine", "stopVirtualMachine", "rebootVirtualMachine")),
    *((name, True) for name in ("attachVolume", "detachVolume", "attachIso", "detachIso", "restartNetwork")),
)
NOTHING_ELSE = (("*", False),)
ROLES = (
    ("Root Admin", Kind.ROOT, "Default root admin role", (("*", True),)),
    ("Resource Admin", Kind.RESOURCE_ADMIN, "Default resource admin role", ()),
    ("Domain Admin", Kind.DOMAIN_ADMIN, "Default domain admin role", ()),
    ("User", Kind.TENANT, "Default user role", ()),
    ("Read-Only Admin - Default", Kind.ROOT, "Sees everything and changes nothing", (*READ, *NOTHING_ELSE)),
    ("Read-Only User - Default", Kind.TENANT, "Sees the own and changes nothing", (*READ, *NOTHING_ELSE)),
    ("Support Admin - Default", Kind.ROOT, "Sees everything and keeps it running", (*SUPPORT_ADMIN, *NOTHING_ELSE)),
    ("Support User - Default", Kind.TENANT, "Sees the own and keeps it running", (*SUPPORT_USER, *NOTHING_ELSE)),
)


@seed("rbac.roles")
@atomically
def roles() -> None:
    """The ready roles other than Root Admin have no rules where the declarations of the commands say it all."""
    for name, kind, description, rules in ROLES:
        if Role.including_removed.filter(name=name).exists():
            continue
        role = Role(name=name, kind=kind, description=description, is_default=True, is_unlimited=name == "Root Admin")
        role.save()
        Rule.objects.bulk_create(Rule(role=role, order=i, pattern=p, allow=a) for i, (p, a) in enumerate(rules))
