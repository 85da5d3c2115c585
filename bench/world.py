"""A cloud for measurements: as many machines, volumes, networks, accounts as asked for, 40 rows to an account, a tenth
of that of hosts and domains. Half of the accounts sit below the domain of ``boss``.
"""

from typing import Any, ClassVar

from django.db.models import CharField, F, Value
from django.db.models.functions import Cast, Concat

from apps.accounts.models import Account
from apps.core.callers import Kind
from apps.core.ownership import admit
from apps.domains import services as domains
from apps.domains.models import Domain
from apps.images.models import Template
from apps.infrastructure.models import Host, Zone
from apps.machines.models import Attachment, VirtualMachine
from apps.network.models import Network
from apps.offerings.models import NetworkOffering, ServiceOffering
from apps.rbac.models import Role
from apps.storage.models import Volume
from bench import fill

PER_ACCOUNT = 40


class World:
    CALLERS: ClassVar[dict[str, str]] = {"root": "admin", "domain admin": "boss", "user": "u0"}

    def __init__(self, rows: int):
        self.rows = rows
        self.accounts = max(rows // PER_ACCOUNT, 2)

    def fill(self) -> None:
        fill.numbers()
        self.admin = Account.all_tenants.select_related("domain", "role").get(name="admin")
        self.tenants()
        self.zone, self.host = self._zone()
        self._owned()
        fill.analyze(VirtualMachine, Volume, Network, Account, Domain, Host, Attachment)

    def tenants(self) -> None:
        self.half = self._domains()
        self.first = self._accounts()

    def as_many_accounts(self) -> None:
        """Accounts that own nothing, until there are as many as rows of the other kinds."""
        (first := Account(name="idle", domain=self.half, role=Role.all_tenants.filter(kind=Kind.TENANT)[0])).save()
        fill.clone(first, self.rows - self.accounts - 1, {"name": fill.text("i"), "domain_id": self._one_in_two()})
        fill.analyze(Account)

    def _one_in_two(self) -> str:
        return f"CASE WHEN x.n % 2 = 0 THEN {self.half.pk} ELSE {self.admin.domain_id} END"

    def _domains(self) -> Domain:
        root = Domain.all_tenants.get(parent=None)
        half = domains.create(name="half", parent=root)
        leaf = domains.create(name="leaf", parent=half)
        last = Domain.including_removed.order_by("-pk").values_list("pk", flat=True)[0]
        fill.clone(leaf, max(self.rows // 5, 1), {"name": fill.text("d")})
        number = Cast(F("pk"), CharField())
        Domain.including_removed.filter(pk__gt=last).kernel_update(path=Concat(Value(half.path), number, Value("/")))
        return half

    def _accounts(self) -> int:
        role = Role.all_tenants.filter(kind=Kind.TENANT).order_by("pk")[0]
        boss = Role.all_tenants.filter(kind=Kind.DOMAIN_ADMIN).order_by("pk")[0]
        Account(name="boss", domain=self.half, role=boss, type=Account.Type.DOMAIN_ADMIN).save()
        (first := Account(name="u0", domain=self.half, role=role)).save()
        numbered = fill.text("u").replace("x.n", "(x.n + 1)")
        fill.clone(first, self.accounts - 1, {"name": numbered, "domain_id": self._one_in_two()})
        return first.pk

    def _zone(self) -> tuple[Zone, Host]:
        (zone := Zone(name="bench", allocation_state="Enabled")).save()
        (host := Host(name="h", zone=zone)).save()
        fill.clone(host, max(self.rows // 5, 1), {"name": fill.text("h")})
        return zone, host

    def _owned(self) -> None:
        owner = Account.all_tenants.select_related("domain").get(pk=self.first)
        offering = ServiceOffering.all_tenants.order_by("pk")[0]
        networks = NetworkOffering.all_tenants.order_by("pk")[0]
        template = Template.all_tenants.order_by("pk")[0]
        small = {"offering": offering, "template": template, "host": self.host, "state": "Running"}
        vm = admit(VirtualMachine, owner, zone=self.zone, name="vm", **small)
        volume = admit(Volume, owner, zone=self.zone, name="vol", size=1 << 30, state="Ready", kind="ROOT")
        network = admit(Network, owner, zone=self.zone, name="net", offering=networks)
        rows: tuple[Any, ...] = (vm, volume, network)
        source = (
            f"JOIN accounts_account a ON a.id = {self.first} + x.n % {self.accounts} "
            "JOIN domains_domain o ON o.id = a.domain_id"
        )
        for row in rows:
            columns = {"owner_id": "a.id", "domain_path": "o.path", "name": fill.text(f"{row.name}-")}
            fill.clone(row, self.rows - 1, columns, source=source)
