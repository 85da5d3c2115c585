"""Where log lines go: JSON into one file per kind of process where LOG_DIR is set, else human ones to the console."""

import logging.config
import os
from pathlib import Path

ROTATE_AT = 20 * 1024 * 1024
KEPT = 5


def configuration(name: str = "") -> dict[str, object]:
    """Of the process ``name``; many may write one file, because each line is one append."""
    folder = os.environ.get("LOG_DIR")
    if name and folder:
        path = f"{folder}/{name}.log"
        handler = {"class": "logging.handlers.WatchedFileHandler", "filename": path, "formatter": "json"}
    else:
        handler = {"class": "logging.StreamHandler", "formatter": "human"}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "apps.core.logs.JsonLines"},
            "human": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s", "datefmt": "%H:%M:%S"},
        },
        "handlers": {"out": handler},
        "root": {"handlers": ["out"], "level": os.environ.get("LOG_LEVEL", "INFO" if name else "WARNING")},
        "loggers": {
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
            "uvicorn.error": {"level": "INFO"},  # below it heads of requests are written, and tokens are in them
        },
    }


def configure(name: str) -> None:
    logging.config.dictConfig(configuration(name))


def rotate(folder: Path) -> None:
    """Writers notice that their file is another one and open it anew."""
    for path in folder.glob("*.log"):
        if path.stat().st_size > ROTATE_AT:
            for number in range(KEPT - 1, 0, -1):
                older = path.with_suffix(f".log.{number}")
                if older.exists():
                    older.replace(path.with_suffix(f".log.{number + 1}"))
            path.replace(path.with_suffix(".log.1"))
