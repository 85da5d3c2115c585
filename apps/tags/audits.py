"""What must be true of tags: they are on rows that live, and whose they are is what the rows say."""

from collections.abc import Iterator

from django.db.models import Exists, OuterRef

from apps.core.audit import audit
from apps.core.models import Tag
from apps.core.ownership import owned_models


@audit("tags: each is on a row that lives, and owner and place are the row's")
def copies() -> Iterator[str]:
    tagged = {model._meta.label_lower: model for model in owned_models() if model.tag_types}
    for row in Tag.objects.exclude(kind__in=tagged).values_list("kind", flat=True):
        yield f"a tag of {row}, which has none"
    columns = ("owner", "domain_path", "in_project", "uuid")
    for kind, model in tagged.items():
        same = {name: OuterRef("resource" if name == "uuid" else name) for name in columns}
        right = Exists(model.all_tenants.filter(pk=OuterRef("row_id"), **same))
        for key, resource in Tag.objects.filter(kind=kind).exclude(right).values_list("key", "resource"):
            yield f"tag {key} of {kind} {resource}: its row is gone, or another's"
