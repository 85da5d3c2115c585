"""Copies of images that have lost what they are of are found; files without a copy are in test_templates."""

import pytest

from apps.core.audit import CHECKS
from apps.images.models import ImageStore, Template, TemplateCopy

ORPHANS = "images: every copy has a template and a store that exist"


@pytest.fixture
def copy(make, db):
    template = make.template(make.account())
    (store := ImageStore(name="s", zone=make.zone(), url="nfs://x/y", protocol="nfs")).save()
    TemplateCopy.all_tenants.filter(template=template).update(store=store)
    assert list(CHECKS[ORPHANS]()) == []
    return TemplateCopy.all_tenants.get(template=template)


@pytest.mark.parametrize("model", [Template, ImageStore])
def test_a_copy_whose_template_or_store_is_gone(copy, model):
    model.all_tenants.kernel_update(removed="2026-01-01T00:00Z")

    assert list(CHECKS[ORPHANS]()) == [f"copy {copy.uuid}: its template or its store is removed"]
