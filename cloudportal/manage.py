"""`./portal manage [--data DIR] COMMAND...`: Django's commands with the settings of that installation."""

import os
import sys

from cloudportal.installation import Installation


def main(words: list[str]) -> None:
    folder = None
    if words[:1] == ["--data"] and len(words) > 1:
        folder, words = words[1], words[2:]
    installation = Installation(folder)
    if not installation.folder.exists() and "DATABASE_URL" not in os.environ:
        sys.exit(f"portal manage: no cloud in {installation.folder}: `./portal up` makes one, --data names another")
    if installation.folder.exists():
        os.environ.update(installation.environment())
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cloudportal.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(["./portal manage", *words])


if __name__ == "__main__":
    main(sys.argv[1:])
