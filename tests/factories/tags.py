from itertools import count

from apps.core.models import Tag
from apps.tags import services

NUMBER = count(1)


def tag(make, owner):
    services.create(word="Volume", rows=[make.volume(owner)], tags={f"key{next(NUMBER)}": "value"})
    return Tag.objects.latest("pk")


ROWS = {"core.Tag": tag}
