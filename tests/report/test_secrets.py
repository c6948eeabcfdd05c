"""Secrets of every kind are hidden, and what is not secret is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirecut.report import mask_secrets

pytestmark = pytest.mark.pure

HIDDEN = "hunter2"


@pytest.mark.parametrize(
    "template",
    [
        "Authorization: Basic {}\r\n",
        "GET / HTTP/1.1\r\nauthorization:{}\r\nHost: x\r\n",
        "Proxy-Authorization: Bearer {}\r\n",
        "Cookie: a=1; session={}\r\n",
        "Set-Cookie: session={}; Path=/\r\n",
        "Cookie: a=1;\r\n b={}\r\nHost: x\r\n",
        "Authorization: Digest a=b,\n\tresponse={}\n",
        "X-Auth-Token: {}\r\n",
        "X-Api-Key: first {}\r\n",
        "POST /?a=1&password={}&b=2 HTTP/1.1\r\n",
        "user=me&passwd={}",
        "user[password]={}&x=1",
        '{{"user": "me", "password": "{}"}}',
        '{{"password" : "one \\" {}", "x": 1}}',
        "{{'client_secret': '{}'}}",
        '{{"tokens": ["first", "{}"]}}',
        '{{\\"access_token\\": \\"{}\\"}}',
        "api_key={}",
        "apiKey: {}",
        "private-key = {}",
        "<password>{}</password>",
        '<x:secretKey a="1">{}</x:secretKey>',
        'Content-Disposition: form-data; name="password"\r\n\r\n{}\r\n--b--',
        'form-data; name="new_password"\r\nContent-Type: text/plain\r\n\r\none\r\n{}\r\n--b--',
        "redis://user:{}@127.0.0.1/0",
        "PASS {}\r\n",
        "USER me\r\nPASS {}\r\n",
        "AUTH PLAIN {}\r\n",
        "*2\r\n$4\r\nAUTH\r\n$7\r\n{}\r\n",
        "*3\r\n$4\r\nauth\r\n$2\r\nme\r\n$7\r\n{}\r\n",
    ],
)
def test_a_secret_is_hidden_and_its_length_kept(template: str) -> None:
    data = template.format(HIDDEN).encode()
    masked = mask_secrets(data)
    assert HIDDEN.encode() not in masked
    assert len(masked) == len(data)
    # What is not an asterisk is as it was, and the secret's surroundings are still there.
    assert all(new in (old, ord("*")) for old, new in zip(data, masked, strict=True))
    assert masked[:4] == data[:4]


@pytest.mark.parametrize(
    "data",
    [
        b"GET /users?page=2&sort=name HTTP/1.1\r\nHost: 127.0.0.1:80\r\nAccept: */*\r\n\r\n",
        b'{"name": "Ada", "compass": "north", "author": "me", "tokyo": 1}',
        b"The cookie: is good\r\n",
        b"http://127.0.0.1:8080/a@b",
        b"bypass the keyboard",
    ],
)
def test_control_what_is_no_secret_stays(data: bytes) -> None:
    assert mask_secrets(data) == data


def test_what_comes_after_a_secret_stays() -> None:
    data = b"POST /?token=abc&b=2 HTTP/1.1\r\nCookie: x\r\nHost: y\r\n\r\npwd=1&z=2"
    assert mask_secrets(data) == (
        b"POST /?token=***&b=2 HTTP/1.1\r\nCookie: *\r\nHost: y\r\n\r\npwd=*&z=2"
    )


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_keep_their_number(data: bytes) -> None:
    assert len(mask_secrets(data)) == len(data)


@pytest.mark.parametrize(
    "unit",
    [b'password="', b"cookie:\n ", b"://a:", b'name="password\r\n', b"<token", b"\nauth\r\n$1"],
)
def test_no_input_makes_it_slow(unit: bytes) -> None:
    # A quadratic search would take minutes here, and the suite's time limit would end it.
    data = unit * (200_000 // len(unit))
    assert len(mask_secrets(data)) == len(data)
