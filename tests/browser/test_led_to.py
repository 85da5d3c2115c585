"""What pages lead to: every list, tab and form that a tenant's or an operator's pages offer, once each."""

import re

from tests.browser.test_pages import OF_A_MACHINE, OF_OPERATORS, PLAIN, failed, ids, rows  # noqa: F401 - fixtures

OTHERS = ("/clusters", "/pods", "/physical-networks", "/domains", "/isos", "/docs/")
LINK = re.compile(r'href="(/(?:do/\w+\?|[a-z-]+/[0-9a-f-]{36}/)[^"#]*)"')
WAYS = (("wide", "light"), ("narrow", "dark"))


def kind_of(address):
    """Of a form its command, of a tab its page's: one of each is looked at."""
    return address.split("?")[0] if address.startswith("/do/") else re.sub("[0-9a-f-]{36}", "", address.split("?")[0])


def led_to(someone, known):
    """What these pages link to and is of another kind than they are."""
    kinds, found = {kind_of(each) for each in known}, {}
    for address in known:
        answer = someone.context.request.get(someone.base + address)
        for link in LINK.findall(answer.text()) if answer.ok else ():
            link = link.replace("&amp;", "&")
            if kind_of(link) not in kinds:
                found.setdefault(kind_of(link), link)
    return found


def wrong_with(someone, address):
    status = someone.go(address).status
    wrong = [] if status == 200 else [f"status {status}"]
    for size, theme in WAYS:
        someone.dress(size, theme)
        wide = someone.too_wide()
        wrong += [f"{size}: {wide} px too wide"] if wide > 0 else []
        wrong += [f"{size}: cut: {text}" for text in someone.cut()]
        wrong += [f"{size}, {theme}: {each}" for each in someone.violations()]
    return wrong


def looked_at(someone, known):
    found = {kind: wrong_with(someone, address) for kind, address in led_to(someone, known).items()}
    assert len(found) > 10  # or no link was found
    return {kind: wrong for kind, wrong in found.items() if wrong}


def test_what_the_pages_of_a_tenant_lead_to_is_accessible_and_fits(person, ids):  # noqa: F811
    someone = person().log_in()
    known = [path.format(**ids) for path in (PLAIN | OF_A_MACHINE).values()]

    assert looked_at(someone, known) == {}


def test_what_the_pages_of_an_operator_lead_to_is_accessible_and_fits(person, failed):  # noqa: F811
    someone = person().log_in("admin", "ROOT")
    known = [path.format(**failed) for path in OF_OPERATORS.values()]
    lists = {address: wrong for address in OTHERS if (wrong := wrong_with(someone, address))}

    assert lists | looked_at(someone, known) == {}
