"""What a draft of a zone becomes: calls in their order."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.portal.infrastructure.zone_draft import ZoneDraft
from apps.portal.visits import Row, Visit

Text = str | Promise
Made = Mapping[str, str]  # key of an action -> id of what is there


@dataclass(frozen=True)
class Action:
    key: str
    text: Text
    step: int  # of the wizard, where what it needs was asked
    command: str
    params: Callable[[Made], dict[str, str]]
    listing: str
    look: Callable[[Made], dict[str, str]]
    same: Callable[[Row], bool] = field(default=lambda row: True)

    def find(self, visit: Visit, made: Made) -> str:
        """Id of what it would make, "" where that is not there."""
        rows = visit.list(self.listing, **self.look(made)).rows
        return next((str(row.get("id")) for row in rows if self.same(row)), "")


def actions(draft: ZoneDraft) -> list[Action]:
    get, found = draft.get, []
    zone = {
        "name": get("name"),
        "networktype": draft.type,
        "dns1": get("dns1"),
        "dns2": get("dns2"),
        "internaldns1": get("internaldns1"),
        "guestcidraddress": get("cidr") if draft.type == "Advanced" else "",
        "securitygroupenabled": "true" if draft.type == "Basic" else "",
        "allocationstate": "Disabled",
    }
    found.append(
        Action(
            "zone",
            _("Zone"),
            1,
            "createZone",
            lambda m: given(zone),
            "listZones",
            lambda m: {"name": get("name")},
            lambda row: row["name"] == get("name"),
        )
    )
    found += _network(draft)
    found += _addresses(draft)
    found += _hosts(draft)
    found.append(
        Action(
            "enable",
            _("The zone is enabled"),
            9,
            "updateZone",
            lambda m: {"id": m["zone"], "allocationstate": "Enabled"},
            "listZones",
            lambda m: {"id": m["zone"]},
            lambda row: row.get("allocationstate") == "Enabled",
        )
    )
    return found


def given(values: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if value}


def _network(draft: ZoneDraft) -> list[Action]:
    get = draft.get
    isolation = {"isolationmethods": "VLAN"} if draft.type == "Advanced" else {}
    vlan = {"vlan": get("vlans").replace(" ", "")} if draft.type == "Advanced" else {}
    found = [
        Action(
            "net",
            _("Physical network"),
            2,
            "createPhysicalNetwork",
            lambda m: {"zoneid": m["zone"], "name": get("net"), **isolation},
            "listPhysicalNetworks",
            lambda m: {"zoneid": m["zone"], "name": get("net")},
        ),
    ]
    found += [_traffic(draft, name) for name in traffic_of(draft)]
    router, enabled = "VirtualRouter", {"state": "Enabled"}
    found += [
        Action(
            "provider",
            _("Routers are allowed as providers"),
            2,
            "addNetworkServiceProvider",
            lambda m: {"physicalnetworkid": m["net"], "name": router},
            "listNetworkServiceProviders",
            lambda m: {"physicalnetworkid": m["net"], "name": router},
        ),
        Action(
            "element",
            _("Routers can be made"),
            2,
            "configureVirtualRouterElement",
            lambda m: {"id": m["element-row"], "enabled": "true"},
            "listVirtualRouterElements",
            lambda m: {"nspid": m["provider"], "enabled": "true"},
        ),
        Action(
            "provide",
            _("Routers provide services"),
            2,
            "updateNetworkServiceProvider",
            lambda m: {"id": m["provider"], **enabled},
            "listNetworkServiceProviders",
            lambda m: {"physicalnetworkid": m["net"], "name": router, **enabled},
        ),
    ]
    if draft.type == "Basic":
        groups = "SecurityGroupProvider"
        found += [
            Action(
                "groups",
                _("Security groups are allowed as providers"),
                2,
                "addNetworkServiceProvider",
                lambda m: {"physicalnetworkid": m["net"], "name": groups},
                "listNetworkServiceProviders",
                lambda m: {"physicalnetworkid": m["net"], "name": groups},
            ),
            Action(
                "group",
                _("Security groups provide services"),
                2,
                "updateNetworkServiceProvider",
                lambda m: {"id": m["groups"], **enabled},
                "listNetworkServiceProviders",
                lambda m: {"physicalnetworkid": m["net"], "name": groups, **enabled},
            ),
        ]
    found.append(
        Action(
            "network",
            _("The physical network is enabled"),
            2,
            "updatePhysicalNetwork",
            lambda m: {"id": m["net"], **enabled, **vlan},
            "listPhysicalNetworks",
            lambda m: {"id": m["net"]},
            lambda row: row.get("state") == "Enabled",
        )
    )
    return found


def traffic_of(draft: ZoneDraft) -> list[str]:
    found = ["Guest", "Management", *(["Public"] if draft.type == "Advanced" else [])]
    return [*found, "Storage"] if draft.get("storage_own") == "true" else found


LABELS = {"KVM": "kvm", "XenServer": "xen", "VMware": "vmware", "Hyperv": "hyperv"}


def _traffic(draft: ZoneDraft, name: str) -> Action:
    label = draft.get(name.lower())
    parameter = f"{LABELS.get(draft.get('hypervisor'), 'kvm')}networklabel"
    return Action(
        f"traffic-{name.lower()}",
        _("Traffic: %(name)s"),
        3,
        "addTrafficType",
        lambda m: given({"physicalnetworkid": m["net"], "traffictype": name, parameter: label}),
        "listTrafficTypes",
        lambda m: {"physicalnetworkid": m["net"]},
        lambda row: row["traffictype"] == name,
    )


def _addresses(draft: ZoneDraft) -> list[Action]:
    get = draft.get

    def span(word: str) -> dict[str, str]:
        names = {"gateway": "gateway", "netmask": "netmask", "startip": "start", "endip": "end"}
        return {wire: get(f"{word}_{name}") for wire, name in names.items()}

    pod = Action(
        "pod",
        _("Pod with addresses for system machines"),
        4,
        "createPod",
        lambda m: {"zoneid": m["zone"], "name": get("pod"), **span("pod")},
        "listPods",
        lambda m: {"zoneid": m["zone"], "name": get("pod")},
    )
    if draft.type == "Advanced":
        more = given({"vlan": get("pub_vlan") or "untagged"})
        public = {"forvirtualnetwork": "true", **span("pub"), **more}
        return [
            pod,
            Action(
                "public",
                _("Public addresses"),
                4,
                "createVlanIpRange",
                lambda m: {"zoneid": m["zone"], **public},
                "listVlanIpRanges",
                lambda m: {"zoneid": m["zone"]},
                lambda row: row.get("startip") == get("pub_start"),
            ),
        ]
    return [
        pod,
        Action(
            "guests",
            _("Guest network"),
            4,
            "createNetwork",
            lambda m: {
                "zoneid": m["zone"],
                "name": "guest",
                "displaytext": "guest",
                "networkofferingid": m["offering"],
            },
            "listNetworks",
            lambda m: {"zoneid": m["zone"], "listall": "true"},
            lambda row: row["name"] == "guest",
        ),
        Action(
            "addresses",
            _("Addresses for machines"),
            4,
            "createVlanIpRange",
            lambda m: {
                "zoneid": m["zone"],
                "podid": m["pod"],
                "networkid": m["guests"],
                "forvirtualnetwork": "false",
                **span("guest"),
            },
            "listVlanIpRanges",
            lambda m: {"zoneid": m["zone"]},
            lambda row: row.get("startip") == get("guest_start"),
        ),
    ]


def _hosts(draft: ZoneDraft) -> list[Action]:
    get, kind = draft.get, draft.get("hypervisor")

    def place(m: Made) -> dict[str, str]:
        return {"zoneid": m["zone"], "podid": m["pod"]}

    login = {"username": get("user"), "password": draft.password, "hosttags": get("hosttags").replace(" ", "")}
    where = host_url(draft)
    scope = {"scope": get("scope")}
    return [
        Action(
            "cluster",
            _("Cluster"),
            5,
            "addCluster",
            lambda m: {
                **place(m),
                "clustername": get("cluster"),
                "clustertype": "CloudManaged",
                "hypervisor": kind,
                "arch": get("arch"),
            },
            "listClusters",
            lambda m: {"zoneid": m["zone"], "name": get("cluster")},
        ),
        Action(
            "host",
            _("Host"),
            6,
            "addHost",
            lambda m: given({**place(m), "clusterid": m["cluster"], "hypervisor": kind, "url": where, **login}),
            "listHosts",
            lambda m: {"clusterid": m["cluster"], "type": "Routing"},
        ),
        Action(
            "pool",
            _("Primary storage"),
            7,
            "createStoragePool",
            lambda m: {
                "zoneid": m["zone"],
                "name": get("pool"),
                "url": get("pool_url"),
                **scope,
                **(
                    {"podid": m["pod"], "clusterid": m["cluster"]}
                    if get("scope") == "CLUSTER"
                    else {"hypervisor": kind}
                ),
            },
            "listStoragePools",
            lambda m: {"zoneid": m["zone"], "name": get("pool")},
        ),
        Action(
            "store",
            _("Secondary storage"),
            8,
            "addImageStore",
            lambda m: {"zoneid": m["zone"], "name": get("store"), "provider": "NFS", "url": get("store_url")},
            "listImageStores",
            lambda m: {"zoneid": m["zone"], "name": get("store")},
        ),
    ]


def host_url(draft: ZoneDraft) -> str:
    host = draft.get("host")
    return host if "://" in host else f"http://{host}"


def calls(draft: ZoneDraft) -> list[tuple[str, dict[str, str]]]:
    """The plan as it would be called by hand; ids are not known yet."""

    class Names(dict[str, str]):
        def __missing__(self, key: str) -> str:
            return f"${key.replace('-', '_')}"

    names = Names()
    return [(action.command, action.params(names)) for action in actions(draft)]
