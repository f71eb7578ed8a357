"""Bodies, made fields or text of."""

from __future__ import annotations

import pytest

from api.bodies import MAX_DEPTH, BrokenBody, Content, parse, to_payload

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (b"", []),
        (b"a=1&b=2", [("a", "1"), ("b", "2")]),
        (b"a=&b=", [("a", ""), ("b", "")]),
        (b"a=1&a=2&a=1", [("a", "1"), ("a", "2"), ("a", "1")]),
        (b"a=%C3%A9+%2B%26%3D", [("a", "é +&=")]),
        (b"a=b=c", [("a", "b=c")]),
        (b"a=1;b=2", [("a", "1;b=2")]),
        ("a=é".encode(), [("a", "é")]),
        (b"a=%00", [("a", "\x00")]),
    ],
)
def test_a_form_keeps_order_repeats_and_blanks(body: bytes, fields: Content) -> None:
    assert parse(body, FORM) == fields


@pytest.mark.parametrize("kind", [FORM, FORM.upper(), FORM + "; charset=UTF-8"])
def test_the_type_may_be_written_in_several_ways(kind: str) -> None:
    assert parse(b"a=1", kind) == [("a", "1")]


@pytest.mark.parametrize("body", [b"a=%", b"a=%G1", b"%=1", b"a=%F", b"a=%FF", b"a=\xff", b"a", b"a=1&&b=2"])
def test_a_broken_form_is_refused(body: bytes) -> None:
    with pytest.raises(BrokenBody):
        parse(body, FORM)


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data; boundary=x"])
def test_another_type_is_refused_by_name(kind: str) -> None:
    with pytest.raises(BrokenBody, match=repr(kind.partition(";")[0])):
        parse(b"a=1", kind)


def test_json_is_kept_as_it_was_signed() -> None:
    assert parse(b'{ "a" : 1 }', "application/json") == '{ "a" : 1 }'


def test_json_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(BrokenBody, match="UTF-8"):
        parse(b'"\xff"', "application/json")


@pytest.mark.parametrize("body", ["", "{", "[]", "5", "null"])
def test_json_that_is_no_object_is_refused(body: str) -> None:
    with pytest.raises(BrokenBody):
        to_payload(body)


def test_a_payload_has_every_parameter() -> None:
    fields = [("a", "1"), ("b", ""), ("c", "1"), ("c", "2"), ("c", "1")]

    assert to_payload(fields) == {"a": "1", "b": "", "c": ["1", "2", "1"]}
    assert to_payload('{"a": [1], "b": {"c": null}}') == {"a": [1], "b": {"c": None}}


def test_half_a_surrogate_pair_becomes_a_character_that_can_be_stored() -> None:
    payload = to_payload('{"Body": "half \\ud83d, whole \\ud83d\\udc4b", "MessageSid\\udc4b": "SM"}')

    assert payload == {
        "Body": "half \N{REPLACEMENT CHARACTER}, whole 👋",
        "MessageSid\N{REPLACEMENT CHARACTER}": "SM",
    }


@pytest.mark.parametrize(
    "body",
    [
        *('{"a": ' + "[" * levels + "]" * levels + "}" for levels in (MAX_DEPTH, 500, 960, 1_100, 30_000)),
        '{"a": ' * 40 + "1" + "}" * 40,
        '{"a": ' + "9" * 4_301 + "}",
        '{"a": NaN}',
        '{"a": -Infinity}',
        '{"a": 1e999}',
    ],
    ids=lambda body: f"{body[:9]} {len(body)}",
)
def test_json_that_not_every_reader_could_read_again_is_refused(body: str) -> None:
    with pytest.raises(BrokenBody):
        to_payload(body)


def test_json_may_be_deep_and_have_long_numbers() -> None:
    lists = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)

    assert to_payload(f'{{"a": {lists}, "b": {"9" * 4_000}}}')["b"] == int("9" * 4_000)
