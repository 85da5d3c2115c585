"""Rules of one address that many make at once, and the books of rules when they are wrong."""

import pytest
from django.utils import timezone

from apps.core import audit
from apps.core.errors import CloudError
from apps.firewall.models import Rule, SecurityGroup, SecurityGroupRule, StaticNat
from apps.firewall.services import nat, rules, security_groups
from apps.hypervisors import fake
from apps.machines.models import VirtualMachine
from apps.network.models import Network, PublicAddress
from apps.network.services import public
from tests import centre
from tests.test_concurrency import in_threads


@pytest.fixture
def place(transactional_db, make, monkeypatch):
    monkeypatch.setattr(fake, "CLOUD", fake.Cloud())
    found = centre.centre(make)
    alice = make.account()
    found.network = centre.isolated(found, alice)
    found.vms = [centre.machine(make, alice, found.network) for _ in range(4)]
    public.acquire(owner=alice, zone=found.zone, network=found.network)
    found.ip = public.assigned(public.acquire(owner=alice, zone=found.zone, network=found.network))
    return found


def tried(work):
    won, codes = [], []

    def attempt(number):
        try:
            won.append(work(number))
        except CloudError as error:
            codes.append(error.code)

    in_threads(attempt)
    return len(won), set(codes)


def test_one_of_all_gets_the_port(place):
    where = {"address": place.ip, "protocol": "tcp", "public_port": 22, "private_port": 22}

    got = tried(lambda n: nat.forward_port(vm=place.vms[n % 4], **where))

    assert got == (1, {537})
    assert Rule.all_tenants.filter(purpose="PortForwarding").count() == 1
    assert Rule.all_tenants.filter(purpose="Firewall").count() == 1


def test_one_of_all_opens_the_firewall(place):
    got = tried(lambda n: rules.open_firewall(address=place.ip, protocol="tcp", start_port=n + 1, end_port=99))

    assert got == (1, {537})


def test_one_of_all_instances_gets_the_address(place):
    won, codes = tried(lambda n: nat.enable_static_nat(address=place.ip, vm=place.vms[n % 4]))

    assert (won, codes, StaticNat.objects.count()) == (4, {537}, 1)  # asking again for what is so is no conflict


def test_an_address_is_mapped_or_its_ports_are_forwarded_never_both(place):
    def work(n):
        if n % 2:
            return nat.enable_static_nat(address=place.ip, vm=place.vms[0])
        given = {"protocol": "tcp", "public_port": n + 1, "private_port": 1}
        return nat.forward_port(address=place.ip, vm=place.vms[1], **given)

    won, codes = tried(work)

    assert (won, codes) == (8, {537})
    assert StaticNat.objects.exists() != Rule.all_tenants.filter(purpose="PortForwarding").exists()


def test_no_rule_is_left_on_an_address_that_is_released_at_the_same_moment(place):
    def work(n):
        if n == 7:
            return public.begin_release(PublicAddress.all_tenants.select_related("owner__domain").get(pk=place.ip.pk))
        return rules.open_firewall(address=place.ip, protocol="tcp", start_port=n + 1)

    _, codes = tried(work)

    assert codes <= {536}
    assert set(Rule.all_tenants.values_list("state", flat=True)) <= {"Revoke"}


NOW = timezone.now()


def gone(model, key):
    model.including_removed.filter(pk=key).kernel_update(removed=NOW)


def forwarding(w, port):
    where = {"address": w.ip, "protocol": "tcp", "public_port": port, "private_port": 1}
    return nat.forward_port(vm=w.vm, open_firewall_too=False, **where)


def of_no_network(w):
    row = forwarding(w, 10)
    gone(Network, row.network_id)
    return f"rule {row.uuid} is of a network that is gone"


def of_no_address(w):
    row = forwarding(w, 10)
    gone(PublicAddress, row.address_id)
    return f"rule {row.uuid} is of an address that is gone"


def to_nobody(w):
    row = forwarding(w, 10)
    gone(VirtualMachine, row.vm_id)
    return f"rule {row.uuid} is of an instance that is gone"


def of_another_network(w):
    row = forwarding(w, 10)
    PublicAddress.all_tenants.filter(pk=w.ip.pk).update(network=None)
    return f"rule {row.uuid} is of another network than its address"


def opened_for_nothing(w):
    row = nat.forward_port(vm=w.vm, address=w.ip, protocol="tcp", public_port=5, private_port=1)
    gone(Rule, row.pk)
    return f"rule {Rule.all_tenants.get(opened_by=row).uuid} was opened for a rule that is gone"


def twice_the_same_port(w):
    one, two = forwarding(w, 10), forwarding(w, 20)
    Rule.all_tenants.filter(pk=two.pk).update(start_port=10, end_port=10)
    return f"rules {one.uuid} and {two.uuid} forward the same ports"


def mapped_and_forwarded(w):
    row = forwarding(w, 10)
    StaticNat.objects.create(address=w.ip, vm=w.vm, vm_ip="10.1.1.2")
    return f"rule {row.uuid} forwards ports of an address that static NAT maps"


def mapped_and_released(w):
    nat.enable_static_nat(address=w.ip, vm=w.vm)
    gone(PublicAddress, w.ip.pk)
    return f"address {w.ip.ip} is mapped and was released"


def mapped_to_nobody(w):
    nat.enable_static_nat(address=w.ip, vm=w.vm)
    gone(VirtualMachine, w.vm.pk)
    return f"address {w.ip.ip} is mapped to an instance that is gone"


def group_of(w):
    group = security_groups.create(owner=w.alice, name="web")
    security_groups.authorize(group=group, direction="ingress", protocol="all", cidrs=["10.0.0.0/8"])
    security_groups.join(w.vm, [group])
    return group


def member_of_nothing(w):
    gone(SecurityGroup, group_of(w).pk)
    return "an instance is in security group web, which was deleted"


def nobody_is_a_member(w):
    group_of(w)
    gone(VirtualMachine, w.vm.pk)
    return f"instance {w.vm.uuid} is gone and still in a security group"


def rule_of_nothing(w):
    gone(SecurityGroup, group_of(w).pk)
    return f"rule {SecurityGroupRule.all_tenants.get().uuid} names a security group that was deleted"


BROKEN = [
    of_no_network,
    of_no_address,
    to_nobody,
    of_another_network,
    opened_for_nothing,
    twice_the_same_port,
    mapped_and_forwarded,
    mapped_and_released,
    mapped_to_nobody,
    member_of_nothing,
    nobody_is_a_member,
    rule_of_nothing,
]


@pytest.mark.parametrize("broken", BROKEN, ids=lambda function: function.__name__)
def test_a_broken_book_is_found(w, broken):
    before = {line for lines in audit.findings().values() for line in lines}

    finding = broken(w)

    assert finding in {line for lines in audit.findings().values() for line in lines} - before
