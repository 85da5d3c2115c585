"""What the agent gives back of its memory."""

import json
import subprocess
import sys

from agent.memory import unchanged

SMAPS = """\
00400000-00500000 r-xp 00001000 fe:01 77 /usr/bin/python3.11
Size:               1024 kB
Rss:                 512 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00500000-00501000 r--p 00101000 fe:01 77 /usr/bin/python3.11
Anonymous:             4 kB
00501000-00502000 rw-p 00102000 fe:01 77 /usr/bin/python3.11
Anonymous:             0 kB
00700000-00800000 r--p 00000000 fe:01 78 /usr/lib/a library.so
Anonymous:             0 kB
00800000-00880000 r-xp 00100000 fe:01 78 /usr/lib/a library.so
Anonymous:             0 kB
00880000-00890000 r--p 00000000 fe:01 80 /usr/lib/locale/C.utf8/LC_CTYPE
Anonymous:             0 kB
00890000-00900000 r--s 00000000 fe:01 79 /usr/lib/shared
Anonymous:             0 kB
00900000-00a00000 r--p 00000000 00:00 0
Anonymous:             0 kB
7ffd00000000-7ffd00001000 r-xp 00000000 00:00 0 [vdso]
Anonymous:             0 kB
"""
PROGRAM = """
import hashlib, json, os, sqlite3, ssl
from agent.memory import Spare

def kinds():
    lines = (line.split() for line in open("/proc/self/status"))
    return {words[0]: int(words[1]) for words in lines if words[0] in ("RssFile:", "RssAnon:")}

def works():
    return hashlib.sha256(b"x").hexdigest()[:8], sqlite3.connect(":memory:").execute("select 6 * 7").fetchone()[0]

spare = Spare()
first, before = works(), kinds()
large = [os.urandom(1 << 16) for _ in range(512)]
kept = large[-1:]
del large
spare.give_back()
after = kinds()
again = [(works(), spare.give_back())[0] for _ in range(3)]
print(json.dumps([before, after, all(each == first for each in again), len(kept)]))
"""


def test_only_what_is_in_the_file_as_it_is_is_given_back():
    assert list(unchanged(SMAPS.splitlines(keepends=True))) == [
        (0x400000, 0x500000),
        (0x700000, 0x800000),
        (0x800000, 0x880000),
    ]


def test_what_was_given_back_is_there_again_when_it_is_needed():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)

    before, after, works, _ = json.loads(done.stdout)
    assert (done.returncode, works) == (0, True)
    assert after["RssFile:"] < before["RssFile:"] // 2
    assert after["RssAnon:"] < before["RssAnon:"] + (8 << 10)
