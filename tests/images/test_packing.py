import bz2
import gzip
import hashlib
import lzma

import pytest

from apps.images import fetch, packing

BODY = bytes(range(256)) * 9000
PACK = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}
KINDS = pytest.mark.parametrize("kind", PACK)
MANY = fetch.Rules(max_bytes=len(BODY), max_seconds=60)


def brought(folder, name, data, rules=MANY):
    (folder / name).write_bytes(data)
    size = fetch.copy(f"file://{folder}/{name}", folder / "out", rules, [str(folder)])
    assert size == (folder / "out").stat().st_size
    return (folder / "out").read_bytes()


@KINDS
def test_it_is_unpacked_on_its_way(tmp_path, kind):
    assert brought(tmp_path, f"a.raw.{kind}", PACK[kind](BODY)) == BODY


@KINDS
def test_members_may_follow_each_other_with_zeros_after_the_last(tmp_path, kind):
    half = len(BODY) // 2
    data = PACK[kind](BODY[:half]) + PACK[kind](BODY[half:]) + bytes(512)

    assert brought(tmp_path, f"a.raw.{kind}", data) == BODY


@KINDS
def test_the_checksum_is_that_of_the_packed_file(tmp_path, kind):
    data = PACK[kind](BODY)
    rules = fetch.Rules(len(BODY), 60, checksum=hashlib.sha256(data).hexdigest())

    assert brought(tmp_path, f"a.raw.{kind}", data, rules) == BODY
    with pytest.raises(fetch.FetchError, match="^the checksum is not that of the file$"):
        brought(tmp_path, f"a.raw.{kind}", data, fetch.Rules(len(BODY), 60, checksum="0" * 64))


@KINDS
@pytest.mark.parametrize("left", [0.5, 0.999])
def test_one_that_is_cut_off_is_refused(tmp_path, kind, left):
    data = PACK[kind](BODY)

    with pytest.raises(fetch.FetchError, match="^the packed data end too early$"):
        brought(tmp_path, f"a.raw.{kind}", data[: int(len(data) * left)])
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob("*.part"))


@KINDS
def test_what_is_packed_to_burst_ends_at_the_limit(tmp_path, kind):
    bomb = PACK[kind](bytes(64 << 20))
    assert len(bomb) < 1 << 20

    with pytest.raises(fetch.FetchError, match="^it has more than the 2304000 bytes that are allowed$"):
        brought(tmp_path, f"a.raw.{kind}", bomb)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a.raw.{kind}"]


@KINDS
def test_pieces_are_small_whatever_they_unpack_to(kind):
    pieces = list(packing.unpacker(f"http://x/a.{kind}").feed(PACK[kind](bytes(8 << 20))))

    assert (sum(map(len, pieces)), max(map(len, pieces))) == (8 << 20, packing.CHUNK)


@KINDS
def test_another_thing_of_that_name_is_refused(tmp_path, kind):
    with pytest.raises(fetch.FetchError, match="^the packed data are damaged, or packed in another way$"):
        brought(tmp_path, f"a.raw.{kind}", b"no such thing" * 100)


def test_the_name_says_how_it_is_packed():
    assert packing.unpacker("http://host/a.qcow2?x=.gz") is None
    assert packing.unpacker("http://host/A.QCOW2.GZ?x=1") is not None
