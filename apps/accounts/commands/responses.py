"""What is said about accounts, users and domains."""

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.db.models import OuterRef, Subquery

from apps.accounts import ports
from apps.core.answers import OwnedResponse, TagResponse, details_of
from apps.core.callers import Kind
from apps.core.prepared import KeysSlot, Prepared
from apps.core.responses import Batch, Computed, Field, Many, Plain, Response
from apps.rbac.models import TYPES

DETAILS = details_of("accounts.account")


def role_type(kind: int) -> str:
    return TYPES[Kind(kind)]


def _totals(port: Any) -> Batch:
    fields = {f"{word}{what}": "string" for _, word in ports.kinds() for what in ("limit", "available")}
    fields |= {f"{word}total": "long" for _, word in ports.kinds()}
    fields["secondarystoragetotal"] = "float"

    def fn(keys: Sequence[int]) -> dict[int, dict[str, Any]]:
        return ports.ask(port, keys)

    if port is ports.totals:
        fields |= {"vmrunning": "integer", "vmstopped": "integer"}
    return Batch(fn, fields, detail="resource")


class UserResponse(Response):
    wire_name = "user"
    model = "accounts.User"

    id = Field("uuid")
    username = Field()
    firstname = Field("first_name")
    lastname = Field("last_name")
    email = Computed(("email",), lambda text: text or None)
    created = Field()
    state = Field()
    account = Field("account__name")
    accountid = Field("account__uuid")
    accounttype = Field("account__type", type="integer")
    domain = Field("account__domain__name")
    domainid = Field("account__domain__uuid")
    roleid = Field("account__role__uuid")
    rolename = Field("account__role__name")
    roletype = Computed(("account__role__kind",), role_type)
    timezone = Computed(("timezone",), lambda text: text or None)
    apikey = Field("api_key")
    usersource = Field("source")
    isdefault = Field("is_default")
    is2faenabled = Computed((), lambda: False, type="boolean")
    is2famandated = Computed((), lambda: False, type="boolean")
    iscallerchilddomain = Computed((), lambda: False, type="boolean")


class AccountResponse(Response):
    wire_name = "account"
    model = "accounts.Account"

    id = Field("uuid")
    name = Field()
    accounttype = Field("type", type="integer")
    roleid = Field("role__uuid")
    rolename = Field("role__name")
    roletype = Computed(("role__kind",), role_type)
    domainid = Field("domain__uuid")
    domain = Field("domain__name")
    domainpath = Field("domain__wire_path")
    networkdomain = Computed(("network_domain",), lambda text: text or None)
    defaultzoneid = Computed(("default_zone",), lambda text: text or None)
    state = Field()
    created = Field()
    isdefault = Field("is_default")
    iscleanuprequired = Field("cleanup_required")
    groups = Computed((), list, type="list")
    accountdetails = Batch(
        lambda keys: {key: {"accountdetails": told["details"]} for key, told in DETAILS(keys).items()},
        {"accountdetails": "map"},
    )
    totals = _totals(ports.totals)
    user = Many(UserResponse, "account")


def _with_a_child() -> Any:
    """One of each suffices: the first domain of an installation may have a hundred thousand."""
    domains: Any = apps.get_model("domains.Domain")
    first = Subquery(domains.all_tenants.filter(parent=OuterRef("pk")).values("pk")[:1])
    rows = domains.including_removed.filter(pk__among=KeysSlot("keys"))
    return rows.annotate(child=first).values_list("pk", "child")


FIRST_CHILDREN = Prepared(_with_a_child)


class DomainResponse(Response):
    wire_name = "domain"
    model = "domains.Domain"

    id = Field("uuid")
    name = Field()
    path = Field("wire_path")
    level = Computed(("path",), lambda path: path.count("/") - 2, type="integer")
    parentdomainid = Field("parent__uuid")
    parentdomainname = Field("parent__name")
    networkdomain = Computed(("network_domain",), lambda text: text or None)
    created = Field()
    state = Field()
    tags = Many(TagResponse, "row_id", by_kind=True)
    totals = _totals(ports.domain_totals)

    def _children(keys: Sequence[int]) -> dict[int, dict[str, Any]]:  # noqa: N805 - a function of the class body
        return {key: {"haschild": child is not None} for key, child in FIRST_CHILDREN(keys=keys)}

    haschild = Batch(_children, {"haschild": "boolean"})


class KeyPairResponse(OwnedResponse):
    wire_name = "sshkeypair"
    model = "accounts.SshKeyPair"

    domainpath = None
    id = Field("uuid")
    name = Field()
    fingerprint = Field()
    hasannotations = Computed((), lambda: False, type="boolean")


class RegisteredKeyPairResponse(KeyPairResponse):
    """The same row under the name that registering answers with."""

    wire_name = "keypair"


class NewKeyPairResponse(RegisteredKeyPairResponse):
    """With the private half: this answer is the only place where it shows."""

    privatekey = Computed((), lambda: None, type="string")


class UserKeysResponse(Plain):
    wire_name = "userkeys"
    fields = {"apikey": "string", "secretkey": "string"}
