"""The scope table of wire-protocol.md section 8, row by row. Letters are the owners of what is listed.

ROOT: admin R          /a: domain admin D, user U, other user O      /a/b: user S       /z: user Z
projects: P (in /a, U is a member), Q (in /z, nobody's)
"""

import pytest

from apps.accounts.models import Account
from apps.accounts.tenants import caller_for
from apps.core.callers import Kind
from apps.core.errors import CloudError
from apps.core.scope import owner_of_new
from tests.conftest import unknown

A, B, Z = "a", "b", "z"
EVERYTHING = "D O R S U Z"


@pytest.fixture
def world(make, db):
    root = make.domain()
    a = make.domain(A, root)
    domains = {"ROOT": root, A: a, B: make.domain(B, a), Z: make.domain(Z, root)}
    owners = {
        "R": make.account("R", root, Kind.ROOT, Account.Type.ROOT),
        "D": make.account("D", a, Kind.DOMAIN_ADMIN, Account.Type.DOMAIN_ADMIN),
        "U": make.account("U", a),
        "O": make.account("O", a),
        "S": make.account("S", domains[B]),
        "Z": make.account("Z", domains[Z]),
    }
    owners["P"] = make.project(owners["U"], name="P", domain=a)
    owners["Q"] = make.project(name="Q", domain=domains[Z])
    rows = {name: make.volume(owner, name=name) for name, owner in owners.items()}
    return domains, owners, rows


TABLE = [
    # request                                       U       D          R
    ({}, "U", "D", "R"),
    ({"listall": True}, "U", "D O S U", EVERYTHING),
    ({"listall": False, "isrecursive": True}, "U", "D", "R"),
    ({"id": "U"}, "U", "U", "U"),
    ({"id": "S"}, "", "S", "S"),
    ({"id": "Z"}, "", "", "Z"),
    ({"id": "P"}, "P", "P", "P"),
    ({"id": "Q"}, "", "", "Q"),
    ({"ids": "U,Z"}, "U", "U", "U Z"),
    ({"domainid": A}, "U", "D O U", "D O U"),
    ({"domainid": B}, 531, "S", "S"),
    ({"domainid": Z}, 531, 531, "Z"),
    ({"domainid": "ROOT"}, 531, 531, "R"),
    ({"domainid": A, "isrecursive": True}, "U", "D O S U", "D O S U"),
    ({"domainid": "ROOT", "isrecursive": True}, 531, 531, EVERYTHING),
    ({"domainid": "none"}, 431, 431, 431),
    ({"account": "U", "domainid": A}, "U", "U", "U"),
    ({"account": "U"}, "U", "U", 431),
    ({"account": "O", "domainid": A}, 531, "O", "O"),
    ({"account": "S", "domainid": B}, 531, "S", "S"),
    ({"account": "Z", "domainid": Z}, 531, 531, "Z"),
    ({"account": "nobody", "domainid": A}, 431, 431, 431),
    ({"projectid": "P"}, "P", "P", "P"),
    ({"projectid": "Q"}, 432, 432, "Q"),
    ({"projectid": "-1"}, "P", "", "P Q"),
    ({"projectid": "-1", "listall": True}, "P U", "D", "D O P Q R S U Z"),
    ({"projectid": "P", "account": "U"}, 431, 431, 431),
    ({"projectid": "Q", "account": "U"}, 432, 432, 431),
    ({"projectid": "-1", "account": "U"}, 431, 431, 431),
    ({"projectid": "none"}, 431, 431, 431),
]


@pytest.mark.parametrize(("request_", "user", "domain_admin", "root"), TABLE, ids=[str(row[0]) for row in TABLE])
def test_table(api, world, request_, user, domain_admin, root):
    domains, owners, rows = world
    params = dict(request_)
    for name, known in (("domainid", domains), ("projectid", owners), ("id", rows)):
        if params.get(name) not in (None, "-1"):
            params[name] = known[params[name]].uuid if params[name] in known else unknown()
    if "ids" in params:
        params["ids"] = [rows[name] for name in params["ids"].split(",")]

    for who, expected in (("U", user), ("D", domain_admin), ("R", root)):
        try:
            answer = api(caller_for(owners[who]), "listVolumes", **params)
            got = " ".join(sorted(row["name"] for row in answer.get("volume", [])))
        except CloudError as error:
            got = error.code
        assert got == expected, who


def test_a_sibling_whose_key_begins_the_same_is_not_below(api, world, make):
    """Paths close with a separator: /1/2/ is not above /1/20/."""
    domains, owners, _ = world
    below = domains[A].path[:-1]
    number = 0
    while not (sibling := make.domain(f"n{number}", domains["ROOT"])).path.startswith(below):
        number += 1
    make.volume(make.account("n", sibling))

    answer = api(caller_for(owners["D"]), "listVolumes", listall=True)

    assert {row["domain"] for row in answer["volume"]} == {A, B}


@pytest.mark.parametrize(
    ("who", "account", "domainid", "projectid", "owner"),
    [
        ("U", None, None, None, "U"),
        ("U", "U", A, None, "U"),
        ("U", "O", A, None, 531),
        ("U", "U", None, None, 431),
        ("U", None, None, "P", "P"),
        ("U", None, None, "Q", 432),
        ("U", "U", A, "P", 431),
        ("D", "S", B, None, "S"),
        ("D", "Z", Z, None, 531),
        ("R", "Z", Z, None, "Z"),
        ("R", "nobody", Z, None, 431),
    ],
)
def test_owner_of_a_new_row(world, who, account, domainid, projectid, owner):
    domains, owners, _ = world
    domain = domains[domainid].uuid if domainid else None
    project = owners[projectid].uuid if projectid else None
    try:
        got = owner_of_new(caller_for(owners[who]), account, domain, project).name
    except CloudError as error:
        got = error.code

    assert got == owner
