import pytest

from apps.core.errors import CloudError
from apps.core.models import Question
from apps.hypervisors.errors import Unknown
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
