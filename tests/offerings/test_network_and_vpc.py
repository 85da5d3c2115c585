import pytest

from apps.offerings import ports
from apps.offerings.models import NetworkOffering
from tests.offerings.test_compute_and_disk import names, refused, root  # noqa: F401

pytestmark = pytest.mark.django_db
KIND = {"name": "n", "guestiptype": "Isolated", "traffictype": "Guest"}
ROUTED = ("Dhcp", "Dns", "SourceNat", "Lb", "Firewall")


def by(*services, provider="VirtualRouter"):
    return {
        "supportedservices": services,
        "serviceproviderlist": [{"service": s, "provider": provider} for s in services],
    }


def test_the_answer_names_services_with_their_providers_and_capabilities(api, root):  # noqa: F811
    said = [{"service": "SourceNat", "capabilitytype": "RedundantRouter", "capabilityvalue": "TRUE"}]
    got = api(root, "createNetworkOffering", **KIND, **by("Dhcp", "SourceNat"), servicecapabilitylist=said)[
        "networkoffering"
    ]

    assert (got["state"], got["egressdefaultpolicy"], got["forvpc"], got["isdefault"]) == (
        "Disabled",
        False,
        False,
        False,
    )
    router = [{"name": "VirtualRouter"}]
    assert got["service"] == [
        {"name": "Dhcp", "provider": router, "capability": []},
        {"name": "Gateway", "provider": router, "capability": []},
        {
            "name": "SourceNat",
            "provider": router,
            "capability": [
                {"name": "RedundantRouter", "value": "true", "canchooseservicecapability": False},
                {"name": "SupportedSourceNatTypes", "value": "peraccount", "canchooseservicecapability": False},
            ],
        },
    ]


@pytest.mark.parametrize(
    "params",
    [
        {"guestiptype": "Round"},
        {"traffictype": "Public"},
        {"supportedservices": "Dhcp"},
        by("Coffee"),
        by("Dhcp", provider="Nobody"),
        by("SecurityGroup"),
        by("NetworkACL", provider="VpcVirtualRouter"),
        {**by("Dhcp"), "supportedservices": "Dns"},
        {
            **by("Dhcp"),
            "servicecapabilitylist": [{"service": "Lb", "capabilitytype": "ElasticLb", "capabilityvalue": "true"}],
        },
        {
            **by("Lb"),
            "servicecapabilitylist": [{"service": "Lb", "capabilitytype": "Colour", "capabilityvalue": "true"}],
        },
        {
            **by("Lb"),
            "servicecapabilitylist": [{"service": "Lb", "capabilitytype": "ElasticLb", "capabilityvalue": "x"}],
        },
        {"guestiptype": "Shared", **by("Dhcp")},
        {"guestiptype": "Shared", "specifyvlan": True, "specifyipranges": True, **by("SourceNat")},
        {"guestiptype": "L2", **by("Dhcp")},
        {"guestiptype": "L2", "forvpc": True},
        {"specifyipranges": True, **by("SourceNat")},
        {"availability": "Required", **by("Dhcp")},
        {"forvpc": True, **by("Dhcp")},
        {"networkrate": -1},
        {"name": ""},
        {"tags": "x" * 300},
    ],
)
def test_what_cannot_be_provided_is_refused(api, root, params):  # noqa: F811
    refused(api, root, "createNetworkOffering", **{**KIND, **params})


def test_only_an_offering_for_routers_makes_routers(api, root, make):  # noqa: F811
    refused(api, root, "createNetworkOffering", **KIND, serviceofferingid=make.offering().uuid)
    router = make.offering(is_system=True, system_vm_type="domainrouter")
    got = api(root, "createNetworkOffering", **KIND, serviceofferingid=router.uuid)["networkoffering"]
    assert got["serviceofferingid"] == str(router.uuid)


def test_lists_filter_by_what_networks_need(api, root, make):  # noqa: F811
    for name, params in (
        ("nat", {**by(*ROUTED), "enable": True}),
        ("dhcp", {**by("Dhcp"), "tags": "lab"}),
        ("tier", {**by("SourceNat", provider="VpcVirtualRouter"), "forvpc": True, "enable": True}),
        ("l2", {"guestiptype": "L2"}),
    ):
        api(root, "createNetworkOffering", **{**KIND, "name": name, **params})

    def found(**filters):
        return names(api(root, "listNetworkOfferings", **filters), "networkoffering")

    assert found() == ["nat", "dhcp", "tier", "l2"]
    assert found(supportedservices="Dhcp,Lb") == ["nat"]
    assert found(sourcenatsupported=True) == ["nat", "tier"]
    assert found(sourcenatsupported=False) == ["dhcp", "l2"]
    assert found(forvpc=True) == ["tier"]
    assert found(state="Enabled") == ["nat", "tier"]
    assert found(guestiptype="l2") == ["l2"]
    assert found(istagged=True) == found(tags="lab") == ["dhcp"]
    assert found(istagged=False) == ["nat", "tier", "l2"]
    assert found(isdefault=True) == []
    assert found(zoneid=make.zone().uuid) == ["nat", "dhcp", "tier", "l2"]


def test_an_offering_is_enabled_and_withdrawn_unless_it_is_used_or_the_installations(api, root, monkeypatch):  # noqa: F811
    got = api(root, "createNetworkOffering", **KIND)["networkoffering"]
    assert api(root, "updateNetworkOffering", id=got["id"], state="enabled")["networkoffering"]["state"] == "Enabled"
    refused(api, root, "updateNetworkOffering", id=got["id"], state="Broken")
    refused(api, root, "updateNetworkOffering", id=got["id"], availability="Required")
    monkeypatch.setattr(ports.in_use, "_answers", [(0, lambda offering: "used by 1 network")])
    refused(api, root, "deleteNetworkOffering", 536, id=got["id"])
    monkeypatch.undo()
    default = NetworkOffering(name="d", is_default=True)
    default.save()
    refused(api, root, "deleteNetworkOffering", id=default.uuid)
    assert api(root, "deleteNetworkOffering", id=got["id"]) == {"success": True}
    assert names(api(root, "listNetworkOfferings"), "networkoffering") == ["d"]


def test_a_vpc_offering_has_all_services_of_the_vpc_router_unless_it_says_which(api, root):  # noqa: F811
    whole = api(root, "createVPCOffering", name="v")["vpcoffering"]
    assert (whole["state"], len(whole["service"])) == ("Disabled", 10)
    redundant = [{"service": "SourceNat", "capabilitytype": "RedundantRouter", "capabilityvalue": "true"}]
    some = api(
        root,
        "createVPCOffering",
        name="w",
        supportedservices="Dhcp,Lb,SourceNat",
        serviceproviderlist=[{"service": "Lb", "provider": "InternalLbVm"}],
        servicecapabilitylist=redundant,
        enable=True,
    )["vpcoffering"]
    providers = {s["name"]: [p["name"] for p in s["provider"]] for s in some["service"]}
    router = ["VpcVirtualRouter"]
    assert providers == {"Dhcp": router, "Gateway": router, "Lb": ["InternalLbVm"], "SourceNat": router}
    assert some["state"] == "Enabled"
    for params in (
        {"supportedservices": "Firewall"},
        {"supportedservices": "SecurityGroup"},
        {"supportedservices": "x"},
    ):
        refused(api, root, "createVPCOffering", name="x", **params)
    assert api(root, "updateVPCOffering", id=whole["id"], name="u", state="Enabled")["vpcoffering"]["name"] == "u"
    assert names(api(root, "listVPCOfferings", supportedservices="Vpn"), "vpcoffering") == ["u"]
    assert api(root, "deleteVPCOffering", id=whole["id"]) == {"success": True}
    assert names(api(root, "listVPCOfferings"), "vpcoffering") == ["w"]
