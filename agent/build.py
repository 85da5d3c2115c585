"""``python3 -m agent.build OUT.pyz``: the agent as one file, the same bytes from the same sources.

Beside each source lies what the interpreter makes of it, without docstrings: an agent starts sooner, and no compiler
leaves its memory behind. A host whose Python is of another version reads the source.
"""

import marshal
import stat
import sys
import zipfile
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path

ROOT = Path(__file__).resolve().parent
EPOCH = (1980, 1, 1, 0, 0, 0)
SHEBANG = b"#!/usr/bin/python3\n"
UNCHECKED = (1).to_bytes(4, "little")  # it is known by the hash of its source, which nobody compares at a start
WITHOUT_REFERENCES = 2  # the format in which equal code is always equal bytes
MAIN = "import sys\n\nfrom agent.main import main\n\nsys.exit(main(sys.argv[1:]))\n"


def build(target: Path) -> Path:
    sources = {f"agent/{path.relative_to(ROOT).as_posix()}": path.read_bytes() for path in ROOT.rglob("*.py")}
    sources["__main__.py"] = MAIN.encode()
    files = sources | {f"{name}c": _compiled(name, source) for name, source in sources.items()}
    part = target.with_name(f".{target.name}.part")
    with part.open("wb") as file:
        file.write(SHEBANG)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in sorted(files):
                entry = zipfile.ZipInfo(name, EPOCH)
                entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
                archive.writestr(entry, files[name])
    part.chmod(part.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    part.replace(target)
    return target


def _compiled(name: str, source: bytes) -> bytes:
    code = compile(source, name, "exec", dont_inherit=True, optimize=2)
    return MAGIC_NUMBER + UNCHECKED + source_hash(source) + marshal.dumps(code, WITHOUT_REFERENCES)


if __name__ == "__main__":
    sys.stdout.write(f"{build(Path(sys.argv[1]))}\n")
