"""The cloud that a first `./portal up` shows: made by calls of commands, as an operator's script would make it.

Every step looks first whether it was done: a start that was interrupted is gone on with at the next one.
"""

import os
import time
from typing import Any

from cloudportal import lab
from cloudportal.logins import Login

PATIENCE = 40.0  # seconds for one job, and for a template to be there
HOSTS_PER_CLUSTER = 5
PROVIDERS = {"Advanced": ("VirtualRouter", "VpcVirtualRouter"), "Basic": ("VirtualRouter", "SecurityGroupProvider")}
TRAFFIC = {"Advanced": ("Guest", "Management", "Public"), "Basic": ("Guest", "Management")}
# Domain path, account, its type, role: an administrator of a domain, a team below it, a tenant who knows neither.
TENANTS = (
    ("ROOT/acme", "acme", 2, "Domain Admin"),
    ("ROOT/acme/lab", "lab", 0, "User"),
    ("ROOT/blue", "blue", 0, "User"),
)
NEEDED = {"createZone", "createVlanIpRange", "addHost", "createStoragePool", "addImageStore", "listTemplates"}
NEEDED |= {"createNetwork", "deployVirtualMachine", "updateNetworkServiceProvider"}


class Script:
    """Calls of one user, each waited for: what it returns is the row that was made, or the rows of a list."""

    def __init__(self, user: Any):
        from apps.accounts.tenants import caller_for

        self.caller = caller_for(user.account, user, "system")

    def call(self, command: str, /, **params: Any) -> dict[str, Any]:
        from apps.core.dispatch import call

        answer = call(self.caller, command, **{key: value for key, value in params.items() if value is not None})
        return (
            self._finished(command, answer["jobid"]) if set(answer) <= {"id", "jobid"} and "jobid" in answer else answer
        )

    def _finished(self, name: str, jobid: str) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            job = self.call("queryAsyncJobResult", jobid=jobid)
            if job["jobstatus"] == 1:
                return dict(job["jobresult"])
            if job["jobstatus"] == 2:
                raise RuntimeError(f"{name}: {job['jobresult']['errortext']}")
            time.sleep(0.02)
        raise RuntimeError(f"{name}: job {jobid} has not ended after {PATIENCE} seconds")

    def list(self, command: str, key: str, /, **params: Any) -> list[dict[str, Any]]:
        return list(self.call(command, **params).get(key, []))

    def ensure(self, noun: str, look: dict[str, Any], /, **params: Any) -> dict[str, Any]:
        """The row of a kind that ``look`` finds, else the one that creating it answers with."""
        listing, creating, key = KINDS[noun]
        if found := self.list(listing, key, **look):
            return found[0]
        made = self.call(creating, **look | params)[key]
        return dict(made[0] if isinstance(made, list) else made)


KINDS = {
    "zone": ("listZones", "createZone", "zone"),
    "physical network": ("listPhysicalNetworks", "createPhysicalNetwork", "physicalnetwork"),
    "pod": ("listPods", "createPod", "pod"),
    "pool": ("listStoragePools", "createStoragePool", "storagepool"),
    "image store": ("listImageStores", "addImageStore", "imagestore"),
    "network": ("listNetworks", "createNetwork", "network"),
}


def build() -> list[Login]:
    from apps.core.commands import REGISTRY

    logins = administrators() + tenants()
    if missing := NEEDED - REGISTRY.keys():
        print(f"portal up: no demo zones, these commands are not there yet: {' '.join(sorted(missing))}", flush=True)
        return logins
    root = Script(user_of("admin", "ROOT"))
    advanced(root)
    basic(root)
    for path, name, *_ in TENANTS:
        machines(Script(user_of(name, path)))
    return logins


def on_lab() -> list[Login]:
    logins = administrators() + tenants()
    lab.build(Script(user_of("admin", "ROOT")), lab.Lab.read(lab.PLACE))
    return logins


def administrators() -> list[Login]:
    """Of a fresh installation: the seed made the user, its keys are registered here."""
    return [_login("admin", "ROOT", os.environ.get("ADMIN_PASSWORD", "password"), "Root Admin")]


def tenants() -> list[Login]:
    root = Script(user_of("admin", "ROOT"))
    return [tenant(root, *each) for each in TENANTS]


def tenant(root: Script, path: str, name: str, kind: int, role: str) -> Login:
    domain = domain_at(root, path)
    if not root.list("listAccounts", "account", name=name, domainid=domain["id"]):
        person = {"firstname": name.capitalize(), "lastname": "Demo", "email": f"{name}@example.com"}
        keys = {"username": name, "password": "password", "account": name, "accounttype": kind}
        root.call("createAccount", domainid=domain["id"], **person, **keys)
    return _login(name, path, "password", role)


def domain_at(root: Script, path: str) -> dict[str, Any]:
    here = root.list("listDomains", "domain", level=0)[0]
    for name in path.split("/")[1:]:
        children = root.list("listDomainChildren", "domain", id=here["id"], name=name)
        here = children[0] if children else root.call("createDomain", name=name, parentdomainid=here["id"])["domain"]
    return here


def user_of(name: str, path: str) -> Any:
    from apps.accounts.models import User

    rows = User.all_tenants.filter(username=name, account__domain__wire_path=path)
    return rows.select_related("account__domain", "account__role").get()


def _login(name: str, path: str, password: str, role: str) -> Login:
    user = user_of(name, path)
    keys = Script(user).call("registerUserKeys", id=str(user.uuid))["userkeys"]
    return Login(path, user.account.name, name, password, role, keys["apikey"], keys["secretkey"])


def advanced(root: Script) -> None:
    """Isolated networks behind virtual routers, two clusters of hosts."""
    zone, net = zone_with_network(root, "Advanced", guestcidraddress="10.1.1.0/24")
    root.call("updatePhysicalNetwork", id=net["id"], state="Enabled", vlan="100-600")
    public = {"gateway": "192.168.0.1", "netmask": "255.255.0.0", "startip": "192.168.0.2", "endip": "192.168.15.250"}
    if not root.list("listVlanIpRanges", "vlaniprange", zoneid=zone["id"]):
        root.call("createVlanIpRange", zoneid=zone["id"], vlan="50", forvirtualnetwork="true", **public)
    pod_with_hosts(root, zone, "172.16", clusters=2)
    root.call("updateZone", id=zone["id"], allocationstate="Enabled")


def basic(root: Script) -> None:
    """One shared network, security groups, two clusters of hosts."""
    zone, net = zone_with_network(root, "Basic", securitygroupenabled="true")
    root.call("updatePhysicalNetwork", id=net["id"], state="Enabled")
    offering = root.list("listNetworkOfferings", "networkoffering", name="DefaultSharedNetworkOfferingWithSGService")[0]
    look = {"name": "guest", "zoneid": zone["id"]}
    guest = root.ensure("network", look, displaytext="guest", networkofferingid=offering["id"])
    pod = pod_with_hosts(root, zone, "172.18", clusters=2)
    span = {"gateway": "10.20.0.1", "netmask": "255.255.0.0", "startip": "10.20.0.2", "endip": "10.20.15.250"}
    if not root.list("listVlanIpRanges", "vlaniprange", zoneid=zone["id"]):
        where = {"zoneid": zone["id"], "podid": pod["id"], "networkid": guest["id"]}
        root.call("createVlanIpRange", forvirtualnetwork="false", **where, **span)
    root.call("updateZone", id=zone["id"], allocationstate="Enabled")


def zone_with_network(root: Script, kind: str, **params: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    nameservers = {"dns1": "127.0.0.1", "internaldns1": "127.0.0.1"}
    zone = root.ensure("zone", {"name": f"Demo {kind}"}, networktype=kind, **nameservers, **params)
    look = {"name": f"{kind} network", "zoneid": zone["id"]}
    isolation = {"isolationmethods": "VLAN"} if kind == "Advanced" else {}
    net = root.ensure("physical network", look, broadcastdomainrange="ZONE", **isolation)
    there = {each["traffictype"] for each in root.list("listTrafficTypes", "traffictype", physicalnetworkid=net["id"])}
    for traffic in TRAFFIC[kind]:
        if traffic not in there:
            root.call("addTrafficType", physicalnetworkid=net["id"], traffictype=traffic)
    for name in PROVIDERS[kind]:
        enable_provider(root, net, name)
    return zone, net


def enable_provider(root: Script, net: dict[str, Any], name: str) -> None:
    key = "networkserviceprovider"
    found = root.list("listNetworkServiceProviders", key, name=name, physicalnetworkid=net["id"])
    for provider in found:
        if provider["state"] == "Enabled":
            continue
        if "Router" in name:
            for element in root.list("listVirtualRouterElements", "virtualrouterelement", nspid=provider["id"]):
                root.call("configureVirtualRouterElement", id=element["id"], enabled="true")
        root.call("updateNetworkServiceProvider", id=provider["id"], state="Enabled")


def pod_with_hosts(root: Script, zone: dict[str, Any], prefix: str, clusters: int) -> dict[str, Any]:
    span = {"gateway": f"{prefix}.0.1", "netmask": "255.255.0.0"}
    where = {"zoneid": zone["id"]}
    pod = root.ensure("pod", {"name": "pod 1", **where}, startip=f"{prefix}.0.2", endip=f"{prefix}.7.250", **span)
    for number in range(1, clusters + 1):
        rack = f"{zone['networktype'].lower()}-{number}"  # hosts are called after it
        cluster_with_hosts(root, zone, pod, f"{zone['name']} cluster {number}", rack)
    store = f"nfs://127.0.0.1/{zone['id']}/secondary"
    root.ensure("image store", {"name": f"{zone['name']} images", "zoneid": zone["id"]}, provider="NFS", url=store)
    return pod


def cluster_with_hosts(root: Script, zone: dict[str, Any], pod: dict[str, Any], name: str, rack: str) -> None:
    where = {"zoneid": zone["id"], "podid": pod["id"]}
    found = root.list("listClusters", "cluster", name=name, zoneid=zone["id"])
    kind = {"clustertype": "CloudManaged", "hypervisor": "Simulator"}
    cluster = (found or root.call("addCluster", clustername=name, **where, **kind)["cluster"])[0]
    hosts = root.list("listHosts", "host", clusterid=cluster["id"], type="Routing")
    login = {"hypervisor": "Simulator", "username": "root", "password": "password"}
    for number in range(len(hosts) + 1, HOSTS_PER_CLUSTER + 1):
        root.call("addHost", clusterid=cluster["id"], url=f"http://sim/{rack}/h{number}", **where, **login)
    pool = {"scope": "CLUSTER", "url": f"nfs://127.0.0.1/{cluster['id']}/primary", "podid": pod["id"]}
    root.ensure("pool", {"name": f"{name} disks", "zoneid": zone["id"]}, clusterid=cluster["id"], **pool)


def machines(tenant: Script) -> None:
    """Two of a tenant in each zone, the second one stopped."""
    if tenant.list("listVirtualMachines", "virtualmachine"):
        return
    offering = tenant.list("listServiceOfferings", "serviceoffering", name="Small Instance")[0]["id"]
    for zone in tenant.list("listZones", "zone"):
        common = {"zoneid": zone["id"], "serviceofferingid": offering, "templateid": ready_template(tenant, zone)}
        networks = own_network(tenant, zone) if zone["networktype"] == "Advanced" else None
        for number in (1, 2):
            name = f"{tenant.caller.account.name}-{zone['networktype'].lower()}-{number}"
            start = "true" if number == 1 else "false"
            tenant.call("deployVirtualMachine", name=name, networkids=networks, startvm=start, **common)


def own_network(tenant: Script, zone: dict[str, Any]) -> str:
    name = "DefaultIsolatedNetworkOfferingWithSourceNatService"
    offering = tenant.list("listNetworkOfferings", "networkoffering", name=name)[0]["id"]
    look = {"zoneid": zone["id"], "type": "Isolated"}
    found = tenant.list("listNetworks", "network", **look)
    params = {"name": "web", "displaytext": "web", "networkofferingid": offering, "zoneid": zone["id"]}
    return str((found or [tenant.call("createNetwork", **params)["network"]])[0]["id"])


def ready_template(tenant: Script, zone: dict[str, Any]) -> str:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        for each in tenant.list("listTemplates", "template", templatefilter="featured", zoneid=zone["id"]):
            if each["isready"]:
                return str(each["id"])
        time.sleep(0.1)
    raise RuntimeError(f"no template is ready in {zone['name']} after {PATIENCE} seconds")
