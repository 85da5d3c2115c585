"""The world in which wire-samples.jsonl was recorded, made of rows: commands that make it may not be there yet."""

import hashlib
from contextlib import contextmanager
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.utils import timezone

from apps.accounts.models import Account, ProjectMember, SshKeyPair, User
from apps.accounts.services.sign_on import login_of
from apps.compute.models import GroupMember, InstanceGroup
from apps.core import secret
from apps.core.callers import Kind
from apps.core.models import Detail
from apps.core.ownership import admit
from apps.domains import services as domains
from apps.domains.models import Domain
from apps.hypervisors import fake
from apps.images.models import OsType, Template
from apps.infrastructure.models import Cluster, Host, Zone
from apps.infrastructure.services import pods
from apps.limits import services as limits
from apps.machines.models import Attachment, Nic, VirtualMachine
from apps.machines.services import loads
from apps.machines.services.loads import Use
from apps.network.models import Network
from apps.offerings.models import DiskOffering, NetworkOffering, ServiceOffering
from apps.rbac.models import Role
from apps.storage.models import StoragePool, Volume
from apps.tags import services as tags

PASSWORD = "right-password"  # noqa: S105
SECRET = "secret-of-{}"  # noqa: S105


def saved(row):
    row.save()
    return row


class World:
    """Names are those of the placeholders: ``values["vm.alice"]``."""

    def __init__(self):
        root = Domain.all_tenants.get(parent=None)
        a, b = domains.create(name="wire-a", parent=root), domains.create(name="wire-b", parent=root)
        aa = domains.create(name="wire-aa", parent=a)
        self.users = {"admin": self._admin()}
        tenant, ruler = Role.all_tenants.get(name="User"), Role.all_tenants.get(name="Domain Admin")
        places = {
            "alice": (a, tenant),
            "al": (a, tenant),
            "dora": (a, ruler),
            "carol": (aa, tenant),
            "bob": (b, tenant),
        }
        for name, (domain, role) in places.items():
            self.users[name] = self._user(name, domain, role)
        # Nine roles were there: the ready ones and one of an operator.
        saved(Role(name="wire-role", kind=Kind.TENANT))
        self.values = {"domain.root": root, "domain.a": a, "domain.aa": aa, "domain.b": b}
        self._zone()
        for name in ("alice", "bob", "carol"):
            self._machine(name)
        self._project()
        self._key_pairs()
        self._limits()

    @property
    def names(self):
        """What placeholders stand for."""
        found = {name: str(getattr(value, "uuid", value)) for name, value in self.values.items()}
        for name, user in self.users.items():
            found |= {f"account.{name}": str(user.account.uuid), f"user.{name}": str(user.uuid)}
        return found | {"password": PASSWORD}

    def _admin(self):
        user = User.all_tenants.select_related("account__domain").get(username="admin")
        return self._with_keys(user, "admin")

    def _user(self, name, domain, role):
        kind = Account.Type.DOMAIN_ADMIN if role.kind == Kind.DOMAIN_ADMIN else Account.Type.USER
        account = saved(Account(name=f"wire-{name}", domain=domain, role=role, type=kind))
        user = User(username=account.name, account=account, first_name="Wire", last_name=account.name)
        user.login = login_of(domain, user.username)
        return self._with_keys(saved(user), name)

    def _with_keys(self, user, name):
        keys = {"api_key": f"wire-api-key-{name}", "secret_key": secret.seal(SECRET.format(name))}
        User.all_tenants.filter(pk=user.pk).update(password=make_password(PASSWORD), **keys)
        return User.all_tenants.select_related("account__domain", "account__role").get(pk=user.pk)

    def _zone(self):
        names = {"dns1": "127.0.0.1", "internal_dns1": "127.0.0.1", "network_domain": "sandbox.simulator"}
        zone = Zone(name="wire-zone", allocation_state="Enabled", guest_cidr="10.1.1.0/24", token="t", **names)  # noqa: S106
        saved(zone)
        ends = {"gateway": "172.16.0.1", "netmask": "255.255.0.0", "start_ip": "172.16.0.2", "end_ip": "172.16.0.9"}
        pod = pods.create(zone=zone, name="POD0", **ends)
        cluster = saved(Cluster(zone=zone, pod=pod, name="C2", hypervisor="Fake"))
        place = {"zone": zone, "pod": pod, "cluster": cluster, "hypervisor": "Fake"}
        host = saved(Host(name="wire-host", memory_mib_capacity=1 << 20, **place))
        where = {"scope": "CLUSTER", "place": f"cluster:{cluster.pk}"}
        self.pool = saved(StoragePool(name="PS2-1", type="NetworkFilesystem", **place, **where))
        template = admit(Template, self.users["admin"].account, name="wire-template", is_public=True)
        self.values |= {
            "zone": zone,
            "zone.name": zone.name,
            "template": template,
            "offering": ServiceOffering.all_tenants.get(name="Small Instance"),
            "diskoffering": DiskOffering.all_tenants.get(name="Small"),
        }
        self.host = host

    def _machine(self, name):
        """A running machine in an isolated network, and a volume that is Ready."""
        owner, zone = self.users[name].account, self.values["zone"]
        offering = NetworkOffering.all_tenants.get(name="DefaultIsolatedNetworkOfferingWithSourceNatService")
        place = {"zone": zone, "cidr": "10.1.1.0/24", "vlan": str(100 + owner.pk)}
        network = admit(Network, owner, name=f"wire-net-{name}", offering=offering, **place)
        place = {"zone": zone, "offering": self.values["offering"], "template": self.values["template"]}
        place |= {"creator": self.users[name], "os_type": OsType.all_tenants.first(), "host": self.host}
        machine = admit(VirtualMachine, owner, name="wire-vm-a", state=VirtualMachine.State.RUNNING, **place)
        self._belongings(machine, network)
        self._load(machine)
        volume = self._disk(owner, "wire-vol-a", offering=self.values["diskoffering"])
        root = self._disk(owner, f"ROOT-{machine.pk}", kind=Volume.Kind.ROOT, template=self.values["template"])
        Attachment.objects.create(vm=machine, volume=root, device_id=Attachment.ROOT_DEVICE)
        fake.CLOUD.running[str(machine.uuid)].add(self.host.name)
        self.values |= {f"vm.{name}": machine, f"vol.{name}": volume, f"net.{name}": network}

    def _load(self, machine):
        """What its host told of it, twice: a share of a processor is between the two."""
        for minutes, seconds in ((2, 0.0), (0, 12.0)):
            use = Use("1", seconds, 131072, 32 << 20, 16 << 20, 0, 0, 0, 0)
            loads.note({machine.pk: use}, now=timezone.now() - timedelta(minutes=minutes))

    def _belongings(self, machine, network):
        address = {"ip": "10.1.1.7", "gateway": "10.1.1.1", "netmask": "255.255.255.0"}
        saved(Nic(vm=machine, network=network, mac=f"02:00:00:00:00:{machine.pk:02x}", is_default=True, **address))
        group = admit(InstanceGroup, machine.owner, name="wire-group2")
        GroupMember.objects.create(vm=machine, group=group)
        kind = {"kind": machine._meta.label_lower, "row_id": machine.pk}
        tags.create(word="UserVm", rows=[machine], tags={"wire": "a b*c~d+e/f=g&h", "zürich": "<&>'\""})
        Detail.objects.create(**kind, name="rootDiskController", value="scsi")

    def _disk(self, owner, name, **more):
        place = {"zone": self.values["zone"], "pool": self.pool, "path": name, "state": Volume.State.READY}
        volume = admit(Volume, owner, name=name, size=5 << 30, **place, **more)
        fake.CLOUD.disks[str(volume.uuid)] = volume.size
        return volume

    def _project(self):
        alice, al = self.users["alice"].account, self.users["al"].account
        project = saved(Account(name="wire-proj", domain=alice.domain, role=alice.role, type=Account.Type.PROJECT))
        ProjectMember.objects.bulk_create(ProjectMember(project=project, account=each) for each in (alice, al))
        self.values["project"] = project

    def _key_pairs(self):
        owners = {f"wire-key-{user.account.name}": user.account for user in self.users.values()}
        for name, owner in [*owners.items(), ("wire-key-proj", self.values["project"])]:
            self._key_pair(name, owner)

    def _key_pair(self, name, owner):
        fingerprint = hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()
        admit(SshKeyPair, owner, name=name, public_key="ssh-rsa AAAA", fingerprint=fingerprint)

    def _limits(self):
        carol = self.users["carol"].account
        for kind in ("user_vm", "volume", "snapshot", "network", "primary_storage"):
            limits.set_limit(kind=kind, limit=0, account=carol)

    @contextmanager
    def around(self, sample):
        """What was so for this sample alone, and was not recorded."""
        if sample["id"] == "limit-of-domain":
            limits.set_limit(kind="volume", limit=1, domain=self.values["domain.b"])
            yield
            limits.set_limit(kind="volume", limit=-1, domain=self.values["domain.b"])
        elif sample["id"] == "not-found-by-name":
            pair = SshKeyPair.all_tenants.get(name="wire-key-wire-al")
            pair.mark_removed()
            yield
            self._key_pair(pair.name, pair.owner)
        else:
            yield
