"""What qemu-img says, and which error it becomes."""

from __future__ import annotations

import shutil

import pytest

from labvirt.errors import (
    AccessDeniedError,
    ConflictError,
    HostError,
    NotFoundError,
    SpecError,
    UnsupportedError,
)
from labvirt.images import tool

SAID = [
    ("Could not open 'a': No such file or directory", NotFoundError),
    ('Failed to get shared "write" lock\nIs another process using the image [a]?', ConflictError),
    ("Could not open 'a': Permission denied", AccessDeniedError),
    ("error while writing at byte 0: No space left on device", HostError),
    ("Unknown file format 'cow'", UnsupportedError),
    ("Format driver 'dmg' does not support image creation", UnsupportedError),
    ("Invalid parameter 'x'", SpecError),
    ("a: Parameter 'key-secret' is required for cipher", AccessDeniedError),
    ("Invalid password, cannot unlock any keyslot", AccessDeniedError),
    ("something new", HostError),
]


@pytest.mark.parametrize(("said", "kind"), SAID, ids=[kind.__name__ for _, kind in SAID])
def test_words_become_errors_that_keep_them(said, kind):
    error = tool.translate("convert a to b", f"qemu-img: {said}\nTry 'qemu-img --help' for more")
    assert type(error) is kind
    assert "convert a to b" in str(error)
    assert said.splitlines()[0] in str(error)
    assert "--help" not in str(error)


def test_without_qemu_img_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(UnsupportedError, match="qemu-utils"):
        tool.run(tool.Command("look", ("info", "a")))


def test_commas_in_names_are_doubled():
    assert tool.options_text({"a": True, "b": 7, "c": "/x,y"}) == "a=on,b=7,c=/x,,y"


def test_the_shell_line_is_quoted_and_names_no_secret():
    command = tool.Command("x", ("create", "/a b", "1"), {"sec0": "hidden words of mine"})
    assert command.shell == (
        "qemu-img create --object secret,id=sec0,file=PASSPHRASE-FILE '/a b' 1"
    )
    assert "hidden" not in repr(command)
