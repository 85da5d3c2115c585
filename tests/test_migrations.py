from django.apps import apps
from django.db.migrations.loader import MigrationLoader


def test_every_app_with_tables_has_migrations():
    """`makemigrations --check` says nothing of an app that has none at all."""
    known = MigrationLoader(None, ignore_no_migrations=True)
    ours = {config.label for config in apps.get_app_configs() if config.name.startswith("apps.")}
    tables = {model._meta.app_label for model in apps.get_models(include_auto_created=True)} & ours

    assert tables - known.migrated_apps == set()
