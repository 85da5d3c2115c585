from pathlib import Path

from django.apps import apps


def test_every_app_with_tables_has_migrations():
    """`makemigrations --check` says nothing of an app that has none at all."""
    ours = [
        config for config in apps.get_app_configs() if config.name.startswith("apps.") and list(config.get_models())
    ]

    assert len(ours) > 15
    assert [each.name for each in ours if not (Path(each.path) / "migrations" / "0001_initial.py").exists()] == []
