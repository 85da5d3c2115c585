"""A cache that may die: every error is a miss, and is logged once in a while."""

import logging
import time
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.redis import RedisCache

log = logging.getLogger(__name__)
QUIET = 10.0  # seconds between two lines about the same dead cache
DEAD = 1.0  # seconds for which a dead cache is not asked again


class SurvivingCache(RedisCache):
    """Redis or Valkey; a caller sees a miss where it is gone, and does without."""

    def __init__(self, server: str, params: dict[str, Any]):
        options = params.setdefault("OPTIONS", {})
        options.setdefault("socket_timeout", 1)
        options.setdefault("socket_connect_timeout", 1)
        super().__init__(server, params)
        self._dead_until = self._next_line = 0.0

    def _survive(self, call: Callable[[], Any], instead: Any) -> Any:
        from redis.exceptions import RedisError

        now = time.monotonic()
        if now < self._dead_until:
            return instead
        try:
            return call()
        except (RedisError, OSError) as error:
            self._dead_until = now + DEAD
            if now >= self._next_line:
                self._next_line = now + QUIET
                log.warning("the cache does not answer, going on without: %s", error)
            return instead

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        return self._survive(lambda: super(SurvivingCache, self).get(key, default, version), default)

    def get_many(self, keys: Any, version: int | None = None) -> dict[Any, Any]:
        return self._survive(lambda: super(SurvivingCache, self).get_many(keys, version), {})

    def has_key(self, key: Any, version: int | None = None) -> bool:
        return self._survive(lambda: super(SurvivingCache, self).has_key(key, version), False)

    def add(self, *args: Any, **options: Any) -> bool:
        """True where nobody answers: whoever asks "am I the first" goes on."""
        return self._survive(lambda: super(SurvivingCache, self).add(*args, **options), True)

    def set(self, *args: Any, **options: Any) -> None:
        self._survive(lambda: super(SurvivingCache, self).set(*args, **options), None)

    def set_many(self, data: Any, *args: Any, **options: Any) -> list[Any]:
        return self._survive(lambda: super(SurvivingCache, self).set_many(data, *args, **options), list(data))

    def touch(self, *args: Any, **options: Any) -> bool:
        return self._survive(lambda: super(SurvivingCache, self).touch(*args, **options), False)

    def incr(self, key: Any, delta: int = 1, version: int | None = None) -> int:
        return self._survive(lambda: super(SurvivingCache, self).incr(key, delta, version), delta)

    def delete(self, key: Any, version: int | None = None) -> bool:
        return self._survive(lambda: super(SurvivingCache, self).delete(key, version), False)

    def delete_many(self, keys: Any, version: int | None = None) -> None:
        self._survive(lambda: super(SurvivingCache, self).delete_many(keys, version), None)

    def clear(self) -> None:
        self._survive(lambda: super(SurvivingCache, self).clear(), None)
