"""``python3 -m agent.build OUT.pyz``: the agent as one file, the same bytes from the same sources."""

import stat
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent
EPOCH = (1980, 1, 1, 0, 0, 0)
SHEBANG = b"#!/usr/bin/python3\n"
MAIN = "import sys\n\nfrom agent.main import main\n\nsys.exit(main(sys.argv[1:]))\n"


def build(target: Path) -> Path:
    sources = {f"agent/{path.relative_to(ROOT).as_posix()}": path.read_bytes() for path in ROOT.rglob("*.py")}
    sources["__main__.py"] = MAIN.encode()
    part = target.with_name(f".{target.name}.part")
    with part.open("wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(sources):
                entry = zipfile.ZipInfo(name, EPOCH)
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(entry, sources[name])
    part.chmod(part.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    part.replace(target)
    return target


if __name__ == "__main__":
    sys.stdout.write(f"{build(Path(sys.argv[1]))}\n")
