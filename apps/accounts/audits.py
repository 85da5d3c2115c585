"""What must be true of tenants: every copy of a domain's place is what the tree says."""

from collections.abc import Iterator

from django.db.models import F, Value
from django.db.models.functions import Concat

from apps.accounts.models import Account, User
from apps.core.audit import audit
from apps.core.ownership import owned_models, placed_models
from apps.domains.models import Domain


@audit("domains: paths follow the parents")
def paths() -> Iterator[str]:
    rows = Domain.including_removed.exclude(parent=None)
    right = Concat(F("parent__path"), F("pk"), Value("/"))
    spelled = Concat(F("parent__wire_path"), Value("/"), F("name"))
    for uuid in rows.exclude(path=right).values_list("uuid", flat=True):
        yield f"domain {uuid}: its path is not below that of its parent"
    for uuid in rows.filter(removed=None).exclude(wire_path=spelled).values_list("uuid", flat=True):
        yield f"domain {uuid}: its name path is not below that of its parent"


@audit("owned rows: domain path and project flag are the owner's")
def copies() -> Iterator[str]:
    for model in placed_models():
        rows, name = model._base_manager, "uuid" if hasattr(model, "uuid") else "pk"
        wrong = rows.exclude(domain_path=F("owner__domain__path"))
        for key in wrong.values_list(name, flat=True):
            yield f"{model._meta.verbose_name} {key}: its domain path is not its owner's"
        for project in (True, False):
            flagged = rows.filter(in_project=project)
            wrong = flagged.exclude(owner__type=5) if project else flagged.filter(owner__type=5)
            for key in wrong.values_list(name, flat=True):
                yield f"{model._meta.verbose_name} {key}: its project flag is wrong"


@audit("tenants: what lives belongs to what lives")
def living() -> Iterator[str]:
    """A row whose owner is gone is listed by nobody, counts for ever and keeps its name."""
    above = [
        (Domain, "parent"),
        (Account, "domain"),
        (User, "account"),
        *((model, "owner") for model in owned_models()),
    ]
    for model, column in above:
        lost = model.all_tenants.filter(**{f"{column}__removed__isnull": False})
        for uuid in lost.values_list("uuid", flat=True):
            yield f"{model._meta.verbose_name} {uuid}: its {column} was removed"
