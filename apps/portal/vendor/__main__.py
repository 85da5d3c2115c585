"""Copies what the pages need from `node_modules` into `static/vendor/`, and draws the icon sprite. What it writes is
committed: an installation needs neither npm nor a network.

    npm ci --prefix apps/portal/vendor && python -m apps.portal.vendor
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
MODULES, STATIC = HERE / "node_modules", ROOT / "static"
FILES = {
    "vendor/tabler.css": "@tabler/core/dist/css/tabler.min.css",
    "vendor/inter.woff2": "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
    "vendor/htmx.js": "htmx.org/dist/htmx.min.js",
}
# Modules of many files become one: names in `static/` say their content, and what a module imports would not.
BUNDLES = {"vendor/novnc.js": "@novnc/novnc/core/rfb.js"}
LICENCES = (
    "@tabler/core",
    "@tabler/icons",
    "@fontsource-variable/inter",
    "htmx.org",
    "@novnc/novnc",
    "@novnc/novnc/vendor/pako",
)
TESTED_WITH = {"tests/browser/vendor/axe.js": "axe-core/axe.min.js", "tests/browser/vendor/LICENSE": "axe-core/LICENSE"}
SOURCE_MAP = re.compile(r"/\*# sourceMappingURL=.*?\*/|^//# sourceMappingURL=.*$", re.MULTILINE)

# States differ by shape as well as by colour: 12 x 12, in the colour of the text.
GLYPHS = {
    "s-ok": '<circle cx="6" cy="6" r="5" fill="currentColor"/>',
    "s-busy": '<path d="M6 1.5a4.5 4.5 0 1 1-4.5 4.5" fill="none" stroke="currentColor" stroke-width="2" '
    'stroke-linecap="round"/>',
    "s-off": '<rect x="1.5" y="1.5" width="9" height="9" rx="1.5" fill="currentColor"/>',
    "s-warn": '<path d="M6 .8 11.6 11H.4z" fill="currentColor" stroke="currentColor" stroke-linejoin="round"/>',
    "s-bad": '<path d="M6 .3 11.7 6 6 11.7.3 6z" fill="currentColor" stroke="currentColor" stroke-width=".6" '
    'stroke-linejoin="round"/>',
    "s-gone": '<circle cx="6" cy="6" r="4.4" fill="none" stroke="currentColor" stroke-width="1.6"/>'
    '<path d="M3 9l6-6" stroke="currentColor" stroke-width="1.6"/>',
    "s-none": '<circle cx="6" cy="6" r="4.4" fill="none" stroke="currentColor" stroke-width="1.6" '
    'stroke-dasharray="2 1.7"/>',
}


def main() -> int:
    if not MODULES.is_dir():
        print("no node_modules: npm ci --prefix apps/portal/vendor", file=sys.stderr)
        return 1
    for target, source in FILES.items():
        copy(MODULES / source, STATIC / target)
    for target, source in BUNDLES.items():
        bundle(MODULES / source, STATIC / target)
    for target, source in TESTED_WITH.items():
        copy(MODULES / source, ROOT / target)
    (STATIC / "vendor/LICENCES.txt").write_text("\n".join(licence(name) for name in LICENCES))
    names = (HERE / "icons.txt").read_text().split()
    (STATIC / "icons.svg").write_text(sprite(names))
    print(f"{len(FILES) + len(BUNDLES)} files, {len(names)} icons")
    return 0


def copy(source: Path, target: Path) -> None:
    """Without the source map: its name would be looked for where the file is served."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix in (".css", ".js"):
        target.write_text(SOURCE_MAP.sub("", source.read_text()).rstrip() + "\n")
    else:
        shutil.copyfile(source, target)


def bundle(source: Path, target: Path) -> None:
    """The first line says whose it is and where its source lies, as the licence of noVNC wants it."""
    about = json.loads((source.parents[1] / "package.json").read_text())
    whose = f"/*! {about['name']} {about['version']}, {about['license']}, {about['homepage']}; see LICENCES.txt */"
    words = [f"--banner:js={whose}", "--bundle", "--format=esm", "--minify", "--target=es2022", "--legal-comments=none"]
    subprocess.run([MODULES / ".bin" / "esbuild", source, *words, f"--outfile={target}"], check=True)


def licence(name: str) -> str:
    """What its package says, with the whole text where that is in it. What another has taken in says no version."""
    package = MODULES / name / "package.json"
    about = json.loads(package.read_text()) if package.exists() else {"version": "", "license": "MIT"}
    files = [path for path in (MODULES / name).iterdir() if path.stem.upper() in ("LICENSE", "LICENCE")]
    author = about.get("author", "")
    author = author.get("name", "") if isinstance(author, dict) else author
    text = files[0].read_text().strip() if files else f"{about['license']} licence, copyright {author}"
    return f"==== {name} {about['version']} ({about['license']})\n\n{text}\n"


def sprite(names: list[str]) -> str:
    parts = [f'<symbol id="{name}" viewBox="0 0 12 12">{body}</symbol>' for name, body in GLYPHS.items()]
    for name in sorted(names):
        svg = (MODULES / "@tabler/icons/icons/outline" / f"{name}.svg").read_text()
        body = re.sub(r'<!--.*?-->|</?svg[^>]*>|<path stroke="none"[^>]*/>', "", svg, flags=re.DOTALL)
        parts.append(f'<symbol id="{name}" viewBox="0 0 24 24">{" ".join(body.split())}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(parts) + "\n</svg>\n"


sys.exit(main())
