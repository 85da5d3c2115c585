import struct

import pytest

from apps.images.fetch import FetchError
from apps.images.headers import virtual_size

SIZE = 64 << 20


def qcow2(version=3, backing=0, size=SIZE, encryption=0, features=0):
    head = struct.pack(">4sIQIIQI", b"QFI\xfb", version, backing, 0, 16, size, encryption)
    return head.ljust(72, b"\0") + struct.pack(">Q", features) + bytes(512)


@pytest.fixture
def image(tmp_path):
    def write(content):
        path = tmp_path / "image"
        path.write_bytes(content)
        return path

    return write


@pytest.mark.parametrize("version", [2, 3])
def test_the_size_that_a_machine_sees_is_told(image, version):
    assert virtual_size(image(qcow2(version)), "QCOW2") == SIZE


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"hello", "no QCOW2 image"),
        (bytes(4096), "no QCOW2 image"),
        (qcow2(version=4), "a kind of QCOW2 that is not taken"),
        (qcow2(backing=104), "based on another file"),
        (qcow2(features=1 << 2), "a kind of QCOW2 that is not taken"),
        (qcow2(features=1 << 1), "a kind of QCOW2 that is not taken"),
        (qcow2(encryption=2), "encrypted"),
        (qcow2(size=513), "no whole sectors"),
        (qcow2(size=0), "no whole sectors"),
    ],
)
def test_what_is_no_image_of_its_own_is_refused_with_the_reason(image, content, why):
    with pytest.raises(FetchError, match=why):
        virtual_size(image(content), "QCOW2")


def test_a_raw_image_is_as_large_as_its_file_and_of_whole_sectors(image):
    assert virtual_size(image(bytes(2048)), "RAW") == 2048
    with pytest.raises(FetchError, match="700 bytes, which are no whole sectors"):
        virtual_size(image(bytes(700)), "RAW")
    with pytest.raises(FetchError, match="qcow2 image, not RAW"):
        virtual_size(image(qcow2()), "RAW")


def test_other_formats_are_as_large_as_their_file(image):
    assert virtual_size(image(bytes(700)), "VHD") == 700
