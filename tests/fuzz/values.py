"""Values for parameters: now and then right, mostly wrong in a way that clients get wrong."""

import uuid

from apps.core import wire
from apps.core.refs import ByLabel
from apps.core.settings import SETTINGS

BROKEN = (
    "",
    " ",
    "0",
    "-1",
    "1",
    "true",
    "yes",
    "9" * 30,
    "-9223372036854775809",
    "1.5e400",
    "0x10",
    "NaN",
    "null",
    "undefined",
    "x" * 256,
    "x" * 70_000,
    "a\tb",
    "a\x00b",
    "a\x7fb",
    "\r\n",
    "ü 北京 \U0001f600",
    "\u202eabc",
    "'; drop table machines_virtualmachine; --",
    "<script>alert(1)</script>",
    "{{7*7}} ${7*7} %s %n",
    "../../etc/passwd",
    ",,,",
    "a,b,c",
    "2026-13-01",
    "2026-02-30T25:61:61+0000",
    "10.1.1.1/33",
    "300.1.1.1",
    "::1",
    "http://127.0.0.1:1/x",
    "file:///etc/passwd",
)
WORDS = ("x", "10.1.1.1", "255.255.255.0", "tcp", "1-2", "50", "Running", "Enabled", "default", "all")


class Values:
    """``rows`` are uuids by label, the caller's own and others'. Every second call is careful: right in what can be
    seen of a single value, so that it comes as far as what the rows say.
    """

    def __init__(self, random, rows):
        self.random, self.rows = random, rows
        self.careful = False

    def params(self, spec):
        """Parameters of one call as a client would send them."""
        given, self.careful = {}, self.random.random() < 0.5
        for name, field in spec.fields.items():
            parts = getattr(field, "parts", None)
            for each, part in parts.items() if parts else ((name, field),):
                chance = (1, 0.15) if self.careful else (0.95, 0.25)
                if self.random.random() < chance[not part.required]:
                    given |= self.value(each, part)
        if not self.careful and self.random.random() < 0.05:
            given[self.random.choice(("x[", "x[0]", "tags[0].a.b", "tags[].key", "[0].k", "tags[-1].key", "ID"))] = "1"
        return given

    def value(self, name, field):
        if isinstance(field, wire.Map):
            return self.entries(name, field)
        text = self.good(field) if self.careful or self.random.random() < 0.8 else self.random.choice(BROKEN)
        return {name if self.careful or self.random.random() < 0.97 else name.upper(): text}

    def entries(self, name, field):
        if self.random.random() < 0.1:
            return {name: self.random.choice(BROKEN)}
        keys = field.keys or ("key", "value", "name", "memory", "cpuNumber")
        found = {}
        for index in range(self.random.randint(1, 3)):
            for key in keys:
                if self.random.random() < 0.8:
                    found[f"{name}[{index}].{key}"] = self.random.choice((*BROKEN, self.any_row(), "x"))
        return found

    def good(self, field):
        if isinstance(field, wire.List):
            return ",".join(self.good(field.of) for _ in range(self.random.randint(1, 3)))
        if isinstance(field, ByLabel):
            if self.careful and field.to in self.rows:
                return self.random.choice(self.rows[field.to])
            return self.random.choice((*self.rows.get(field.to, ()), str(uuid.uuid4()), self.any_row()))
        if isinstance(field, wire.Int):
            bounds = (field.min_value, field.max_value, 0, 1, 2, 65535, 65536, 1 << 31, (1 << field.bits - 1) - 1)
            return str(self.random.choice([n for n in bounds if n is not None]))
        if isinstance(field, wire.Float):
            return self.random.choice(("0.5", "1", "4", "-1", "1e3"))
        if isinstance(field, wire.Bool):
            return self.random.choice(("true", "false", "TRUE", "1"))
        if isinstance(field, wire.Date):
            return self.random.choice(("2026-01-01", "2026-01-01T10:00:00+0000", "2026-01-01 10:00:00"))
        if isinstance(field, wire.Uuid):
            return self.random.choice((str(uuid.uuid4()), self.any_row()))
        choices, setting = getattr(field, "choices", ()), self.random.choice(sorted(SETTINGS))
        return self.random.choice((*choices, *WORDS, setting))

    def any_row(self):
        return self.random.choice(self.rows[self.random.choice(list(self.rows))])
