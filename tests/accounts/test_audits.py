"""Copies of a domain's place that differ from the tree are found."""

from types import SimpleNamespace

import pytest

from apps.core.audit import CHECKS
from apps.core.models import Tag
from apps.domains.models import Domain
from apps.storage.models import Volume
from apps.tags import services as tags

PATHS = "domains: paths follow the parents"
COPIES = "owned rows: domain path and project flag are the owner's"


@pytest.fixture
def w(make, db):
    below = make.domain("below", make.domain())
    volume = make.volume(make.account("alice", below))
    tags.create(word="Volume", rows=[volume], tags={"a": "1"})
    of_project = make.volume(make.project(domain=below))
    assert findings() == {}
    return SimpleNamespace(domain=below, volume=volume, of_project=of_project)


def findings():
    return {subject: found for subject in (PATHS, COPIES) if (found := list(CHECKS[subject]()))}


@pytest.mark.parametrize(
    ("column", "words"), [("path", "its path"), ("wire_path", "its name path")], ids=lambda text: text
)
def test_a_domain_that_is_not_below_its_parent(w, column, words):
    Domain.all_tenants.filter(pk=w.domain.pk).kernel_update(**{column: "/9/"})

    assert findings()[PATHS] == [f"domain {w.domain.uuid}: {words} is not below that of its parent"]


def test_a_row_that_says_another_domain_than_its_owner(w):
    Volume.all_tenants.filter(pk=w.volume.pk).kernel_update(domain_path="/9/")

    assert findings() == {COPIES: [f"volume {w.volume.uuid}: its domain path is not its owner's"]}


def test_a_tag_that_says_another_domain_than_its_owner(w):
    Tag.objects.update(domain_path="/9/")

    assert findings() == {COPIES: [f"tag {Tag.objects.get().pk}: its domain path is not its owner's"]}


@pytest.mark.parametrize("name", ["volume", "of_project"])
def test_a_row_that_says_wrongly_whether_it_is_a_projects(w, name):
    row = getattr(w, name)

    Volume.all_tenants.filter(pk=row.pk).kernel_update(in_project=not row.in_project)

    assert findings() == {COPIES: [f"volume {row.uuid}: its project flag is wrong"]}
