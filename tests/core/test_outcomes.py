import pytest

from apps.core.errors import GENERIC, CloudError, text_for
from apps.core.models import Question
from apps.hypervisors.errors import Busy, Refused, Unknown
from apps.storage.models import Volume
from apps.storage.services.volumes import CREATE, create_disk


@pytest.fixture
def asked(make, cloud, db):
    """A volume of which nobody knows whether its disk was made."""
    make.host()
    volume = make.volume(make.account())
    cloud.fail("disks.create", Unknown("lost"))
    with pytest.raises(CloudError):
        create_disk(volume)
    return Volume.all_tenants.get(pk=volume.pk)


@pytest.mark.parametrize(("happened", "state"), [(True, "Ready"), (False, "Allocated")])
def test_who_knows_answers_an_open_question_once_and_without_looking(asked, cloud, happened, state):
    cloud.calls.clear()

    CREATE.tell(asked, happened)
    CREATE.tell(Volume.all_tenants.get(pk=asked.pk), not happened)

    assert (Volume.all_tenants.get(pk=asked.pk).state, Question.objects.count()) == (state, 0)
    assert cloud.calls == []


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (Refused("disk full on kvm-7"), "disk full on kvm-7"),
        (Busy("an earlier call"), "an earlier call"),
        (Unknown("no answer"), "whether it happened is being looked into (no answer)"),
    ],
)
def test_root_reads_why_the_host_refused_and_tenants_nothing_of_hosts(make, cloud, db, error, why):
    make.host()
    volume = make.volume(make.account())
    cloud.fail("disks.create", error)

    with pytest.raises(CloudError) as refusal:
        create_disk(volume)

    assert text_for(refusal.value, is_root=True) == f"cannot create volume {volume.uuid}: {why}"
    assert text_for(refusal.value, is_root=False) == GENERIC[534]
