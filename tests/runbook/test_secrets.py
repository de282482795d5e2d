"""Secrets: fetched by reference, masked in every form however a text is cut, found in files."""

from __future__ import annotations

import base64
import gzip
import html
import itertools
import json
import os
import pickle
import re
import sqlite3
import string
import subprocess
import sys
import textwrap
import time
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook
from pydantic import SecretStr

from labvirt.errors import SpecError
from labvirt.runbook.secrets import (
    PRIVATE,
    SHORTEST,
    Leak,
    Redactor,
    check_reference,
    fetch_all,
    fetch_secret,
    find_leaks,
    is_reference,
    reveal,
)

SECRET = "Xq7/p+Z9=&<k>'\"\\ é%2fW"
MARK = "***pw***"

#: Every way in which a secret gets into a text, by name: text before, secret, text behind.
FORMS = {
    "raw": lambda a, s, b: a + s + b,
    "base64": lambda a, s, b: base64.b64encode((a + s + b).encode()).decode(),
    "base64 urlsafe": lambda a, s, b: base64.urlsafe_b64encode((a + s + b).encode()).decode(),
    "quote": lambda a, s, b: quote(a + s + b),
    "quote all": lambda a, s, b: quote(a + s + b, safe=""),
    "quote small": lambda a, s, b: re.sub(
        "%[0-9A-F]{2}", lambda found: found[0].lower(), quote(a + s + b, safe="")
    ),
    "quote_plus": lambda a, s, b: quote_plus(a + s + b),
    "urlencode": lambda a, s, b: urlencode({"a": a, "s": s, "b": b}),
    "json": lambda a, s, b: json.dumps([a, s, b]),
    "json utf-8": lambda a, s, b: json.dumps({a: s + b}, ensure_ascii=False),
    "repr": lambda a, s, b: repr([a, s, b]),
    "repr of bytes": lambda a, s, b: repr((a + s + b).encode()),
    "ascii": lambda a, s, b: ascii(a + s + b),
    "html": lambda a, s, b: html.escape(a + s + b),
    "html text": lambda a, s, b: html.escape(a + s + b, quote=False),
    "hex": lambda a, s, b: (a + s + b).encode().hex(),
    "hex capitals": lambda a, s, b: (a + s + b).encode().hex().upper(),
    "hex spaced": lambda a, s, b: (a + s + b).encode().hex(" "),
    "json in json": lambda a, s, b: json.dumps(json.dumps([a, s, b])),
    "url in json": lambda a, s, b: json.dumps(quote_plus(a + s + b)),
    "html in json": lambda a, s, b: json.dumps(html.escape(a + s + b)),
    "repr in repr": lambda a, s, b: repr(repr([a, s, b])),
    "base64 of json": lambda a, s, b: base64.b64encode(json.dumps([a, s, b]).encode()).decode(),
    "base64 in lines": lambda a, s, b: base64.encodebytes((60 * "a" + s + b).encode()).decode(),
    "wrapped": lambda a, s, b: (
        "\n".join(textwrap.wrap(a + "".join(s.split()) + b, 9)) if s.split() == [s] else s
    ),
    "base64 in url": lambda a, s, b: quote(base64.b64encode((a + s + b).encode()), safe=""),
}


def long_enough(text):
    return len(re.sub("[\r\n]", "", text).strip()) >= SHORTEST


secrets_ = st.text(st.characters(codec="utf-8"), min_size=SHORTEST, max_size=40).filter(long_enough)
printable = st.text(string.printable, min_size=SHORTEST, max_size=30).filter(long_enough)
around = st.text(string.ascii_letters + " .,\n", max_size=12)


@pytest.mark.parametrize("form", FORMS)
@given(secret=st.one_of(secrets_, printable), before=around, behind=around)
@example(secret=SECRET, before="a", behind="b")
@example(secret="''''''", before="'", behind='"')
@example(secret="%25%25", before="", behind="")
@example(secret="\\\\\\\\\\\\", before="", behind="")
@settings(max_examples=25, deadline=None)
def test_every_form_is_masked(form, secret, before, behind):
    text = FORMS[form](before, secret, behind)
    masked = Redactor({"pw": secret}).text(text)
    assert MARK in masked, (text, masked)
    assert secret not in masked.replace(MARK, "")


@given(
    secret=st.one_of(secrets_, printable),
    form=st.sampled_from(sorted(FORMS)),
    texts=st.lists(around, min_size=2, max_size=4),
    cuts=st.lists(st.integers(0, 400), max_size=12),
    coloured=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_a_stream_masks_the_same_however_it_is_cut(secret, form, texts, cuts, coloured):
    text = "".join(FORMS[form](one, secret, texts[0]) for one in texts)
    if coloured:
        text = text[:9] + "\x1b[38;5;28m" + text[9:14] + "\x1b[0m" + text[14:]
    redactor = Redactor({"pw": secret})
    edges = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    stream = redactor.stream()
    out = [stream.feed(text[a:b]) for a, b in itertools.pairwise(edges)]
    assert "".join(out) + stream.flush() == redactor.text(text)


@given(
    secrets=st.lists(st.text("ab1", min_size=6, max_size=10), min_size=1, max_size=4),
    text=st.text("ab1", max_size=80),
    size=st.integers(1, 7),
)
@example(secrets=["ab1ab1c", "b1caa1"], text="aab1ab1caa1a", size=3)
@example(secrets=["abababab"], text="xababababababababy", size=1)
@settings(max_examples=500, deadline=None)
def test_overlapping_secrets_leave_nothing_of_themselves(secrets, text, size):
    """With few letters everything overlaps: what is masked is what a slow search finds."""
    covered = set()
    for secret in secrets:
        for at in range(len(text)):
            if text.startswith(secret, at):
                covered |= set(range(at, at + len(secret)))
    left = [char for at, char in enumerate(text) if at not in covered]
    redactor = Redactor({f"S{n}": secret for n, secret in enumerate(secrets)})
    stream = redactor.stream()
    masked = "".join(stream.feed(text[at : at + size]) for at in range(0, len(text), size))
    masked += stream.flush()
    for number in range(len(secrets)):
        masked = masked.replace(f"***S{number}***", "")
    assert masked == "".join(left)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_colour_codes_do_not_hide_a_secret_and_stay(size):
    text = "\x1b[31mtoken = \x1b[33m'Secret\x1b[39m\x1b[33m-of-\x1b[1mmine'\x1b[0m end"
    stream = Redactor({"pw": "Secret-of-mine"}).stream()
    pieces = [stream.feed(text[at : at + size]) for at in range(0, len(text), size)]
    masked = "".join(pieces) + stream.flush()
    assert masked == ("\x1b[31mtoken = \x1b[33m'***pw***\x1b[39m\x1b[33m\x1b[1m'\x1b[0m end")


def test_a_real_traceback_of_ipython_shows_nothing():
    from IPython.core.ultratb import VerboseTB

    secret = "Tr4ceback-Secret-42x"
    code = compile(
        f"def f(key={secret!r}):\n    raise RuntimeError('bad ' + key)\nf()", "c", "exec"
    )
    try:
        exec(code, {})
    except RuntimeError as error:
        shown = "\n".join(VerboseTB().structured_traceback(type(error), error, error.__traceback__))
    assert secret in shown
    masked = Redactor({"pw": secret}).text(shown)
    assert secret not in masked
    assert "RuntimeError" in masked


def test_each_line_of_a_key_is_masked_but_not_its_frame():
    lines = [base64.b64encode(os.urandom(48)).decode() for _ in range(20)]
    key = "\n".join(["-----BEGIN PRIVATE KEY-----", *lines, "-----END PRIVATE KEY-----"])
    redactor = Redactor({"key": key})
    for line in lines:
        assert redactor.text(f"> {line}\n") == "> ***key***\n"
        assert redactor.text(json.dumps(line)) == '"***key***"'
    assert redactor.text(key) == "***key***"
    assert redactor.text("-----BEGIN PRIVATE KEY-----") == "-----BEGIN PRIVATE KEY-----"


def test_nested_data_is_masked_everywhere_and_the_rest_is_left_alone():
    deep = Redactor({"pw": "123456789"}).deep
    before = {"a": ["x 123456789", ("y",)], "123456789": {"n": 123456789, "f": 1.5, "b": True}}
    assert deep(before) == {"a": ["x ***pw***", ("y",)], MARK: {"n": MARK, "f": 1.5, "b": True}}
    notebook = deep(new_notebook(cells=[new_code_cell("print('123456789')")]))
    assert notebook.cells[0].source == "print('***pw***')"
    assert deep(None) is None
    assert deep(7) == 7


def test_little_is_held_back():
    stream = Redactor({"pw": "correct-horse-battery"}).stream()
    assert stream.feed("nothing secret here\n") == "nothing secret here\n"
    assert stream.feed("it is cor") == "it is "
    assert stream.feed("rosion") == "corrosion"
    assert stream.feed("correct-horse-batter") == ""
    assert stream.flush() == "correct-horse-batter"
    assert stream.flush() == ""


def test_short_secrets_are_refused_without_being_shown():
    with pytest.raises(SpecError, match="fewer than 6 characters") as caught:
        Redactor({"pin": "73519"})
    assert "73519" not in str(caught.value)
    assert Redactor({}).text("as it is") == "as it is"


def test_masking_is_linear_in_the_length():
    redactor = Redactor({"pw": SECRET, "other": "aaaaaaaaaaaa"})
    line = f"2026-11-23 INFO {'a' * 11} \x1b[32mok\x1b[0m %2f {SECRET[:-1]} {SECRET}\n"

    def spent(count):
        stream, began = redactor.stream(), time.process_time()
        for _ in range(count):
            stream.feed(line)
        stream.flush()
        return time.process_time() - began

    spent(100)
    # Ten times the text in about ten times the time; quadratic would be a hundred.
    assert spent(20_000) < 40 * max(spent(2_000), 0.005)


# references


def test_references_are_told_from_values():
    good = ("env:X", "file:/run/secret", "keyring:labvirt/root", "file:~/a b")
    bad = ("hunter2", "env:", "ENV:X", "http://x", "file: x", "", "env:X\nY")
    assert [is_reference(text) for text in (*good, *bad)] == [True] * 4 + [False] * 7


def test_a_secret_comes_from_the_environment_or_a_private_file(tmp_path, monkeypatch):
    monkeypatch.setenv("LAB_PW", "from the environment")
    place = tmp_path / "pw"
    place.write_text("from a file\n")
    place.chmod(0o600)
    assert reveal("env:LAB_PW") == "from the environment"
    assert reveal(SecretStr(f"file:{place}")) == "from a file"
    shown = fetch_secret(f"file:{place}")
    assert "from" not in repr(shown) + str(shown)
    assert reveal(shown) == "from a file"
    assert fetch_all({"a": "env:A"}, {"A": "value"}) == {"a": "value"}


def test_what_cannot_be_fetched_is_refused_with_the_reason(tmp_path, monkeypatch):
    monkeypatch.delenv("NO_SUCH", raising=False)
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.setitem(sys.modules, "keyring", None)
    files = {"open": b"hidden-words", "large": b"x" * 70_000, "binary": b"\xff\xfe", "none": b""}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o600)
    (tmp_path / "open").chmod(0o644)
    os.mkfifo(tmp_path / "pipe", 0o600)
    reasons = {
        "env:NO_SUCH": "not set",
        "env:EMPTY": "is empty",
        "env:a-b": "name of a variable",
        f"env:{PRIVATE}GONE": "values are not kept",
        f"file:{tmp_path}/open": "can be read by everybody",
        f"file:{tmp_path}/large": "more than 64 KiB",
        f"file:{tmp_path}/binary": "UTF-8",
        f"file:{tmp_path}/none": "is empty",
        f"file:{tmp_path}/pipe": "not a file",
        f"file:{tmp_path}": "not a file",
        f"file:{tmp_path}/nosuch": "No such file",
        "file:/a\\u0000b": "No such file",
        "keyring:x": "SERVICE/USER",
        "keyring:labvirt/root": "not installed",
        "hunter2hunter2": "reference",
    }
    for reference, reason in reasons.items():
        with pytest.raises(SpecError, match=reason) as caught:
            reveal(reference)
        assert "hunter2" not in str(caught.value)
        assert "hidden-words" not in str(caught.value)
        with pytest.raises(SpecError, match=reason):
            check_reference(reference, dict(os.environ))


def test_a_keyring_is_asked_when_there_is_one(tmp_path):
    """A package of that name in front of the path stands for the real one with its back end."""
    (tmp_path / "keyring.py").write_text(
        "def get_password(service, user):\n"
        "    if user == 'broken':\n"
        "        raise OSError('locked with hidden-words')\n"
        "    return {'a/b': 'from the keyring'}.get(service) if user == 'root' else None\n"
    )
    code = (
        "from labvirt.runbook import reveal\n"
        "from labvirt.errors import SpecError\n"
        "print(reveal('keyring:a/b/root'))\n"
        "for user in ('nobody', 'broken'):\n"
        "    try: reveal(f'keyring:a/b/{user}')\n"
        "    except SpecError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    first, *rest = done.stdout.splitlines()
    assert first == "from the keyring"
    assert "no entry for keyring:a/b/nobody" in rest[0]
    assert "OSError" in done.stdout
    assert "hidden-words" not in done.stdout


def test_a_carried_secret_is_not_inherited_by_programs_of_the_book(monkeypatch):
    variable = f"{PRIVATE}TOKEN"
    monkeypatch.setenv(variable, "carried-value")
    assert reveal(f"env:{variable}") == "carried-value"
    assert variable not in os.environ
    assert reveal(f"env:{variable}") == "carried-value"


def test_a_kernel_loads_neither_runner_nor_models_to_fetch_a_secret():
    code = (
        "import sys\nfrom labvirt.runbook import fetch_secret, Size\n"
        "print([m for m in ('papermill', 'nbclient', 'nbformat', 'nbconvert', 'libvirt')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# leaks


@pytest.mark.parametrize("form", FORMS)
def test_a_secret_is_found_in_a_file_in_every_form(tmp_path, form):
    place = tmp_path / "out.txt"
    place.write_text("x" * 5000 + FORMS[form]("before ", SECRET, " behind"))
    found = find_leaks({"pw": SECRET}, [tmp_path])
    assert {(leak.path, leak.secret) for leak in found} == {(place, "pw")}


@given(secret=secrets_, form=st.sampled_from(sorted(FORMS)), before=around)
@settings(max_examples=100, deadline=None)
def test_any_secret_is_found_in_a_file(tmp_path_factory, secret, form, before):
    place = tmp_path_factory.getbasetemp() / "leak.txt"
    place.write_bytes(FORMS[form](before, secret, "z").encode())
    assert find_leaks({"pw": secret}, [place])
    masked = Redactor({"pw": secret}).text(FORMS[form](before, secret, "z"))
    place.write_bytes(masked.encode())
    assert not [leak for leak in find_leaks({"pw": secret}, [place]) if leak.form == "raw"]


def test_files_of_all_kinds_are_searched_and_clean_ones_are_clean(tmp_path):
    coloured = f"\x1b[31m{SECRET[:8]}\x1b[39m{SECRET[8:]}"
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": [{"outputs": [{"text": coloured}]}]}))
    (tmp_path / "b.html").write_text(f"<pre>{html.escape(SECRET)}</pre>")
    (tmp_path / "c.gz").write_bytes(gzip.compress(b"x" * 3_000_000 + SECRET.encode()))
    (tmp_path / "d.pickle").write_bytes(pickle.dumps({"k": SECRET}))
    (tmp_path / "e.utf16").write_text(SECRET, encoding="utf-16-le")
    base = sqlite3.connect(tmp_path / "f.sqlite")
    base.execute("pragma journal_mode=wal")
    base.execute("create table t(x)")
    base.execute("insert into t values (?)", (SECRET,))
    base.commit()
    (tmp_path / "clean.txt").write_text("nothing here %2F \\u001b[31m")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/proc/self/environ")
    (tmp_path / "broken.gz").write_bytes(b"\x1f\x8b nonsense")
    (tmp_path / "plainname-Abcdef9.txt").write_text("")
    found = find_leaks({"pw": SECRET, "name": "Abcdef9"}, [tmp_path, tmp_path / "nosuch"])
    base.close()
    assert {(leak.path.name, leak.form) for leak in found} == {
        ("a.ipynb", "json"),
        ("b.html", "html"),
        ("c.gz", "raw"),
        ("d.pickle", "raw"),
        ("e.utf16", "utf-16"),
        ("f.sqlite-wal", "raw"),
        ("broken.gz", "unreadable"),
        ("plainname-Abcdef9.txt", "name"),
    }
    assert find_leaks({}, [tmp_path]) == []


def test_a_secret_in_a_long_value_of_a_database_is_found(tmp_path):
    place, secret = tmp_path / "ledger.sqlite", "Secret-of-24-characters!"
    base = sqlite3.connect(place)
    base.execute('create table "odd ""name" (n, x)')
    # SQLite puts the end of a long value into full pages of 4092 bytes behind a number.
    value = "x" * 8000 + secret + "y" * 4080
    base.execute('insert into "odd ""name" values (1, ?)', (value,))
    base.commit()
    base.close()
    assert secret.encode() not in place.read_bytes()
    assert find_leaks({"pw": secret}, [place]) == [Leak(place, "raw", "pw")]


def test_a_secret_across_two_blocks_is_found(tmp_path):
    place = tmp_path / "big.log"
    for before in range(2**20 - 30, 2**20 + 4, 3):
        place.write_bytes(b"x" * before + b"Secret-of-24-characters!" + b"x" * 100)
        assert find_leaks({"pw": "Secret-of-24-characters!"}, [place]) == [Leak(place, "raw", "pw")]
