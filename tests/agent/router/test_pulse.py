from agent.router.pulse import HEAD, _messages


def message(kind, part, port):
    return HEAD.pack(HEAD.size + len(part), kind, 0, 1, port) + part + bytes(-len(part) % 4)


def test_who_asked_makes_no_difference_to_what_is_read():
    parts = [(20, b"abcd"), (24, b"ab"), (3, b"\0\0\0\0")]

    read = [list(_messages(b"".join(message(*part, port) for part in parts))) for port in (7, 8)]

    assert read == [parts, parts]
