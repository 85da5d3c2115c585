"""What clients ask first: which features there are, and their bounds. Most of it is settings under other names."""

from typing import Any

from apps.api.render import VERSION
from apps.configuration.catalogue import current
from apps.core.callers import USER, Access
from apps.core.commands import Command, command
from apps.core.refs import Ref
from apps.core.responses import Plain
from apps.infrastructure.models import Zone
from apps.limits import throttle

# Of the caller's account, or of the domain that it asks about.
SETTINGS: dict[str, tuple[str, str]] = {
    "userpublictemplateenabled": ("allow.public.user.templates", "boolean"),
    "supportELB": ("network.loadbalancer.basiczone.elb.enabled", "string"),
    "projectinviterequired": ("project.invite.required", "boolean"),
    "allowusercreateprojects": ("allow.user.create.projects", "boolean"),
    "customdiskofferingminsize": ("custom.diskoffering.size.min", "long"),
    "customdiskofferingmaxsize": ("custom.diskoffering.size.max", "long"),
    "kvmsnapshotenabled": ("kvm.snapshot.enabled", "boolean"),
    "snapshotshowchainsize": ("snapshot.show.chain.size", "boolean"),
    "allowuserviewdestroyedvm": ("allow.user.view.destroyed.vm", "boolean"),
    "allowuserexpungerecovervm": ("allow.user.expunge.recover.vm", "boolean"),
    "allowuserexpungerecovervolume": ("allow.user.expunge.recover.volume", "boolean"),
    "allowuserviewalldomainaccounts": ("allow.user.view.all.domain.accounts", "boolean"),
    "allowuserforcestopvm": ("allow.user.force.stop.vm", "boolean"),
    "customhypervisordisplayname": ("hypervisor.custom.display.name", "string"),
    "defaultuipagesize": ("default.ui.page.size", "long"),
    "instancesstatsretentiontime": ("vm.stats.max.retention.time", "integer"),
    "instancesstatsuseronly": ("vm.stats.user.vm.only", "boolean"),
    "instancesdisksstatsretentionenabled": ("vm.disk.stats.retention.enabled", "boolean"),
    "instancesdisksstatsretentiontime": ("vm.disk.stats.max.retention.time", "integer"),
    "sharedfsvmmincpucount": ("sharedfsvm.min.cpu.count", "integer"),
    "sharedfsvmminramsize": ("sharedfsvm.min.ram.size", "integer"),
    "instanceleaseenabled": ("instance.lease.enabled", "boolean"),
    "dynamicscalingenabled": ("enable.dynamic.scale.vm", "boolean"),
    "additionalconfigenabled": ("enable.additional.vm.configuration", "boolean"),
}
# What no setting switches here: roles are dynamic; there are no clusters of containers and no region-wide stores.
FIXED: dict[str, Any] = {
    "dynamicrolesenabled": True,
    "cloudstackversion": VERSION,
    "regionsecondaryenabled": False,
    "kubernetesserviceenabled": False,
    "kubernetesclusterexperimentalfeaturesenabled": False,
}


class CapabilitiesResponse(Plain):
    wire_name = "capability"
    fields = {
        "securitygroupsenabled": "boolean",
        "apilimitinterval": "integer",
        "apilimitmax": "integer",
        **{name: kind for name, (_, kind) in SETTINGS.items()},
        **{name: "boolean" if isinstance(value, bool) else "string" for name, value in FIXED.items()},
    }


@command("listCapabilities", roles=USER, response=CapabilitiesResponse)
class ListCapabilities(Command):
    """Tells what this cloud can do, and the bounds of it."""

    changes = False

    domainid = Ref("domains.Domain", Access.LIST, source="domain", help_text="what holds in this domain")

    def run(self, domain: Any = None) -> dict[str, Any]:
        whose = domain or self.caller.account
        found = {name: current(setting, whose) for name, (setting, _) in SETTINGS.items()}
        guarded = Zone.all_tenants.filter(security_groups_enabled=True).exists()
        answer = {"securitygroupsenabled": guarded, **FIXED, **found}
        if throttle.ENABLED.value():
            answer |= {"apilimitinterval": throttle.INTERVAL.value(), "apilimitmax": throttle.MOST.value()}
        return {"capability": answer}
