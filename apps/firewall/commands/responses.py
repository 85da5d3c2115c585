"""What is said about rules and security groups."""

from collections.abc import Sequence
from typing import Any

from apps.core.answers import OwnedResponse, TagResponse
from apps.core.keys import Keys
from apps.core.responses import FULL, Batch, Computed, Field, Many, Response
from apps.firewall.models import Member


def joined(texts: list[str]) -> str:
    return ",".join(texts)


def port(number: int | None) -> str:
    return None if number is None else str(number)  # type: ignore[return-value]


class RuleResponse(Response):
    model = "firewall.Rule"
    with_jobs = False

    id = Field("uuid")
    protocol = Field()
    state = Field()
    ipaddress = Field("address__ip", type="string")
    ipaddressid = Field("address__uuid", type="string")
    fordisplay = Field("is_displayed", view=FULL)
    cidrlist = Computed(("cidrs",), joined)
    networkid = Field("network__uuid")
    tags = Many(TagResponse, "row_id", by_kind=True)


class FirewallResponse(RuleResponse):
    wire_name = "firewallrule"

    startport = Field("start_port")
    endport = Field("end_port")
    icmptype = Field("icmp_type")
    icmpcode = Field("icmp_code")
    destcidrlist = Computed(("destinations",), joined)
    traffictype = Computed(("purpose",), lambda purpose: "Egress" if purpose == "Egress" else "Ingress", type="string")


class ForwardingResponse(RuleResponse):
    wire_name = "portforwardingrule"

    publicport = Computed(("start_port",), port)
    publicendport = Computed(("end_port",), port)
    privateport = Computed(("private_port",), port)
    privateendport = Computed(("private_end_port",), port)
    networkname = Field("network__name")
    virtualmachineid = Field("vm__uuid")
    virtualmachinename = Field("vm__name")
    virtualmachinedisplayname = Computed(
        ("vm__display_name", "vm__name"), lambda shown, name: shown or name, type="string"
    )
    vmguestip = Field("vm_ip", type="string")


class IpForwardingResponse(Response):
    wire_name = "ipforwardingrule"
    model = "firewall.Rule"

    id = Field("uuid")
    protocol = Field()
    state = Field()
    startport = Field("start_port")
    endport = Field("end_port")
    ipaddress = Field("address__ip", type="string")
    ipaddressid = Field("address__uuid", type="string")
    virtualmachineid = Field("vm__uuid")
    virtualmachinename = Field("vm__name")
    virtualmachinedisplayname = Computed(
        ("vm__display_name", "vm__name"), lambda shown, name: shown or name, type="string"
    )


class GroupRuleResponse(Response):
    wire_name = "rule"
    model = "firewall.SecurityGroupRule"

    ruleid = Field("uuid")
    protocol = Field()
    startport = Field("start_port")
    endport = Field("end_port")
    icmptype = Field("icmp_type")
    icmpcode = Field("icmp_code")
    cidr = Computed(("cidr",), lambda text: text or None, type="string")
    account = Field("other__owner__name")
    securitygroupname = Field("other__name")
    tags = Many(TagResponse, "row_id", by_kind=True)


def members(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
    found: dict[int, list[str]] = {key: [] for key in keys}
    for group, uuid in Member.objects.filter(group__among=Keys(keys)).values_list("group", "vm__uuid"):
        found[group].append(str(uuid))
    return {key: {"virtualmachineids": ids, "virtualmachinecount": len(ids)} for key, ids in found.items()}


class SecurityGroupResponse(OwnedResponse):
    wire_name = "securitygroup"
    model = "firewall.SecurityGroup"
    with_jobs = False

    id = Field("uuid")
    name = Field()
    description = Field()
    ingressrule = Many(GroupRuleResponse, "group", where={"direction": "ingress"})
    egressrule = Many(GroupRuleResponse, "group", where={"direction": "egress"})
    members = Batch(members, {"virtualmachineids": "list", "virtualmachinecount": "integer"})
    tags = Many(TagResponse, "row_id", by_kind=True)
