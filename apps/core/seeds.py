"""What a fresh installation has before anybody calls anything: idempotent functions, run by ``manage.py seed`` after
``migrate`` in the order of the layers (lower apps first).
"""

from collections.abc import Callable
from importlib import import_module

SEEDS: dict[str, Callable[[], object]] = {}
Seed = Callable[[], object]


def seed(name: str) -> Callable[[Seed], Seed]:
    """Declare in ``apps/<app>/seeds.py``, which ``sow()`` imports: ``@seed("offerings.service")``. Running it twice
    changes nothing, and what an operator has changed or removed stays so.
    """

    def register(function: Seed) -> Seed:
        if name in SEEDS:
            raise TypeError(f"seed {name} is declared twice")
        SEEDS[name] = function
        return function

    return register


def sow() -> None:
    from django.apps import apps
    from django.utils.module_loading import module_has_submodule

    for config in apps.get_app_configs():
        if config.name.startswith("apps.") and config.module and module_has_submodule(config.module, "seeds"):
            import_module(f"{config.name}.seeds")
    for function in list(SEEDS.values()):
        function()
