"""The draft of a zone: what the nine steps ask, and what was answered so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.core import secret
from apps.portal.frame.fields import FormField, Option

Text = str | Promise
KIND = "zone"  # of the draft
HYPERVISORS = ("KVM", "Simulator", "XenServer", "VMware", "Hyperv", "LXC")


@dataclass(frozen=True)
class Question:
    name: str
    label: Text
    hint: Text = ""
    default: str = ""
    needed: bool = True
    choices: Sequence[tuple[str, Text]] = ()
    kind: str = "text"  # or password, check
    only: str = ""  # for zones of this type
    mono: bool = False
    group: Text = ""  # heading above it and those that follow with the same

    def field(self, value: str, error: Text = "") -> FormField:
        kind = "select" if self.choices else self.kind
        options = [Option(word, text, word == value) for word, text in self.choices]
        made = FormField(self.name, self.label, kind=kind, value=value, options=options, hint=self.hint, error=error)
        made.required, made.mono, made.on = self.needed, self.mono, value == "true"
        made.autocomplete = "off"
        return made


@dataclass(frozen=True)
class Step:
    number: int
    label: Text
    question: Text
    questions: Sequence[Question] = ()
    told: Sequence[str] = ()  # questions whose answers stand below it in the list of steps
    note: Text = ""

    def asked(self, network_type: str) -> list[Question]:
        return [each for each in self.questions if each.only in ("", network_type)]


Q = Question
POD_NETWORK, PUBLIC, GUESTS = _("Management network"), _("Public network"), _("Guest network")
STEPS: tuple[Step, ...] = (
    Step(
        1,
        _("Zone"),
        _("What is it called, and how do its machines resolve names?"),
        (
            Q("name", _("Name"), _("Unique; customers see it")),
            Q(
                "type",
                _("Kind"),
                _("Advanced: networks of their own behind routers. Basic: one network for all, with security groups."),
                "Advanced",
                choices=(("Advanced", _("Advanced")), ("Basic", _("Basic"))),
            ),
            Q("dns1", _("Name server for machines"), mono=True),
            Q("dns2", _("Second name server"), needed=False, mono=True),
            Q("internaldns1", _("Name server for system machines"), mono=True),
            Q(
                "cidr",
                _("Range of guest networks"),
                _("Each isolated network takes a part; a Basic zone has none"),
                "10.1.1.0/24",
                only="Advanced",
                mono=True,
            ),
        ),
        ("name", "type"),
    ),
    Step(
        2,
        _("Physical network"),
        _("What carries its traffic?"),
        (
            Q("net", _("Name"), default="network 1"),
            Q(
                "vlans",
                _("VLANs for guest networks"),
                _("Numbers and ranges: 100-200,300"),
                "100-600",
                only="Advanced",
                mono=True,
            ),
        ),
        ("net", "vlans"),
    ),
    Step(
        3,
        _("Traffic types"),
        _("On which bridges or labels of its hosts does which traffic run?"),
        (
            Q(
                "guest",
                _("Guest"),
                _("Between machines; the default of the hypervisor if you leave this empty"),
                needed=False,
                mono=True,
            ),
            Q(
                "management",
                _("Management"),
                _("Between the manager, hosts and system machines"),
                needed=False,
                mono=True,
            ),
            Q("public", _("Public"), _("To the internet"), needed=False, only="Advanced", mono=True),
            Q("storage", _("Storage"), _("Only where storage has a network of its own"), needed=False, mono=True),
            Q("storage_own", _("Storage has a network of its own"), kind="check", needed=False),
        ),
        ("guest", "management", "public"),
    ),
    Step(
        4,
        _("Pod and addresses"),
        _("Which addresses may be given out?"),
        (
            Q("pod", _("Name of the pod"), default="pod 1"),
            Q("pod_gateway", _("Gateway of the management network"), mono=True, group=POD_NETWORK),
            Q("pod_netmask", _("Netmask"), default="255.255.255.0", mono=True, group=POD_NETWORK),
            Q("pod_start", _("First address for system machines"), mono=True, group=POD_NETWORK),
            Q("pod_end", _("Last address for system machines"), mono=True, group=POD_NETWORK),
            Q("pub_gateway", _("Gateway of the public network"), only="Advanced", mono=True, group=PUBLIC),
            Q("pub_netmask", _("Netmask"), default="255.255.255.0", only="Advanced", mono=True, group=PUBLIC),
            Q("pub_start", _("First public address"), only="Advanced", mono=True, group=PUBLIC),
            Q("pub_end", _("Last public address"), only="Advanced", mono=True, group=PUBLIC),
            Q(
                "pub_vlan",
                _("VLAN of the public network"),
                _("untagged if you leave this empty"),
                needed=False,
                only="Advanced",
                mono=True,
                group=PUBLIC,
            ),
            Q("guest_gateway", _("Gateway of the guest network"), only="Basic", mono=True, group=GUESTS),
            Q("guest_netmask", _("Netmask"), default="255.255.255.0", only="Basic", mono=True, group=GUESTS),
            Q("guest_start", _("First address for machines"), only="Basic", mono=True, group=GUESTS),
            Q("guest_end", _("Last address for machines"), only="Basic", mono=True, group=GUESTS),
        ),
        ("pod", "pod_start", "pod_end"),
    ),
    Step(
        5,
        _("Cluster"),
        _("Which hosts share storage?"),
        (
            Q("cluster", _("Name"), default="cluster 1"),
            Q(
                "hypervisor",
                _("Hypervisor"),
                _("Of all its hosts"),
                "KVM",
                choices=[(each, each) for each in HYPERVISORS],
            ),
            Q("arch", _("Architecture"), "", "x86_64", choices=(("x86_64", "x86_64"), ("aarch64", "aarch64"))),
        ),
        ("cluster", "hypervisor"),
    ),
    Step(
        6,
        _("Host"),
        _("Which is the first host?"),
        (
            Q("host", _("Name or address"), _("A simulated one begins with sim"), mono=True),
            Q("user", _("User"), _("For the installation only"), "root"),
            Q("password", _("Password"), _("Kept sealed until the host is added, then forgotten"), kind="password"),
            Q("hosttags", _("Tags"), _("Offerings with these tags run here"), needed=False),
        ),
        ("host",),
    ),
    Step(
        7,
        _("Primary storage"),
        _("Where do disks lie?"),
        (
            Q("pool", _("Name"), default="disks 1"),
            Q(
                "scope",
                _("Shared by"),
                "",
                "CLUSTER",
                choices=(("CLUSTER", _("the hosts of the cluster")), ("ZONE", _("all hosts of the zone"))),
            ),
            Q("pool_url", _("Address"), _("nfs://server/path"), mono=True),
        ),
        ("pool", "pool_url"),
    ),
    Step(
        8,
        _("Secondary storage"),
        _("Where do templates and ISOs lie?"),
        (
            Q("store", _("Name"), default="images 1"),
            Q("store_url", _("Address"), _("nfs://server/path"), mono=True),
        ),
        ("store_url",),
    ),
    Step(9, _("Check and make"), _("All of it is checked once more, then made.")),
)


@dataclass
class ZoneDraft:
    answers: dict[str, str] = field(default_factory=dict)
    sealed: str = ""  # the password of the host
    done: list[int] = field(default_factory=list)  # steps whose checks were passed
    begun: bool = False  # it is being made: what has been made already is not asked again
    made: dict[str, str] = field(default_factory=dict)  # what of the plan is there, and its id
    job: dict[str, str] = field(default_factory=dict)  # what is under way: its key and its job
    failed: dict[str, str] = field(default_factory=dict)  # where it stopped: its key and why

    @classmethod
    def load(cls, stored: Mapping[str, Any]) -> "ZoneDraft":
        return cls(**{name: value for name, value in stored.items() if name in cls.__dataclass_fields__})

    def stored(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @property
    def type(self) -> str:
        return self.answers.get("type", "Advanced")

    @property
    def is_simulated(self) -> bool:
        return self.answers.get("hypervisor") == "Simulator"

    def get(self, name: str) -> str:
        return self.answers.get(name, "")

    def value(self, question: Question) -> str:
        return self.answers.get(question.name, question.default)

    @property
    def password(self) -> str:
        return secret.unseal(self.sealed) if self.sealed else ""

    def read(self, step: Step, given: Mapping[str, Any]) -> None:
        """What was typed; a change makes the checks of the step void."""
        before = dict(self.answers)
        for question in step.asked(str(given.get("type") or self.type)):
            text = str(given.get(question.name, "")).strip()
            if question.kind == "password":
                self.sealed = secret.seal(text) if text else self.sealed
            else:
                self.answers[question.name] = text
        if before != self.answers:
            self.done = [number for number in self.done if number < step.number]

    def missing(self, step: Step) -> list[Question]:
        asked = step.asked(self.type)
        found = [each for each in asked if each.needed and each.kind != "password" and not self.answers.get(each.name)]
        return found + [each for each in asked if each.kind == "password" and not self.sealed]

    def said(self, step: Step) -> str:
        """Of a step that is done, in a line."""
        return ", ".join(self.answers[name] for name in step.told if self.answers.get(name))
