"""A secret that a book uses is nowhere to be found afterwards, however the run ended."""

from __future__ import annotations

import base64
import html
import importlib.util
import os
import secrets
import signal
import string
import subprocess
import sys
import urllib.parse
from pathlib import Path

import pytest
from pydantic import SecretStr

from labvirt import runbook
from labvirt.errors import SpecError

LABVIRT = str(Path(sys.executable).with_name("labvirt"))
USE = """\
from labvirt.runbook import reveal
import base64, logging, sys, time, urllib.parse
plain = reveal(password)
assert len(plain) == 24
print('the password is', plain)
for letter in plain: print(letter, end='', flush=True)
print(base64.b64encode(f'user:{plain}'.encode()).decode(), urllib.parse.quote(plain, safe=''))
print(repr(plain), plain, file=sys.stderr)
logging.warning('with %s', plain)
from IPython.display import HTML, display
display(HTML(f'<b>{plain}</b>'))
{'secret': plain}
"""
FAIL = "raise OSError(f'cannot log in with {plain}')"


LETTERS = string.ascii_letters + string.digits + "+/=%&!~_-"


@pytest.fixture
def secret(monkeypatch, tmp_path):
    """A new secret, and a folder for temporary files where it might have been left."""
    value = "".join(secrets.choice(LETTERS) for _ in range(24))
    monkeypatch.setenv("BOOK_PASSWORD", value)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    return value


def book(make, *cells):
    return make(
        (USE, "step:use"),
        *cells,
        ("print('undo with', reveal(password))", "step:use", "undo", "skip-execution"),
        ("print('clean up with', plain)", "always"),
        parameters="from labvirt.runbook import SecretStr\npassword: SecretStr",
    )


def forms(value):
    yield value
    yield base64.b64encode(value.encode()).decode().rstrip("=")
    yield base64.b64encode(f"user:{value}".encode()).decode().rstrip("=")
    yield base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")
    yield urllib.parse.quote(value, safe="")
    yield urllib.parse.quote(value)
    yield urllib.parse.quote_plus(value)
    yield value.encode().hex()
    yield html.escape(value)


def sockets():
    """Return the folders of runs in /tmp; those of other tests are no reason to fail."""
    return Path("/tmp").glob("lvk-*")


def nowhere(value, *places):
    places = (*places, *sockets())
    for form in dict.fromkeys(forms(value)):
        found = subprocess.run(
            ["grep", "-rlaF", "-e", form, *map(str, places)],
            capture_output=True, text=True, check=False,
        ).stdout  # fmt: skip
        assert not found, f"{form} in {found}"


@pytest.mark.parametrize("reference", ["env", "file", "object"])
def test_after_a_good_run(make, tmp_path, home, secret, reference, texts):
    given = "env:BOOK_PASSWORD"
    if reference == "file":
        path = tmp_path.parent / f"{tmp_path.name}-secret"
        path.write_text(secret + "\n")
        path.chmod(0o600)
        given = f"file:{path}"
    elif reference == "object":
        os.environ.pop("BOOK_PASSWORD")
        given = SecretStr(secret)
    record = runbook.run(book(make), {"password": given})
    assert record.outcome == "ok", record.error
    assert "the password is" in texts(record.notebook)
    nowhere(secret, tmp_path)
    if reference != "object":
        assert record.parameters["password"] == given


KEEP = "import keyring, sys; keyring.set_password('labvirt', 'root', sys.stdin.read())"


@pytest.fixture
def keyring(monkeypatch, tmp_path_factory):
    """A real keyring that needs no desktop: its entries are in a file."""
    if importlib.util.find_spec("keyring") is None or importlib.util.find_spec("keyrings") is None:
        pytest.skip("the packages keyring and keyrings.alt are missing")
    folder = tmp_path_factory.mktemp("keyring")
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(folder))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyrings.alt.file.PlaintextKeyring")
    return folder


def test_from_a_keyring(make, tmp_path, home, secret, keyring, monkeypatch, texts):
    monkeypatch.delenv("BOOK_PASSWORD")
    subprocess.run([sys.executable, "-c", KEEP], input=secret, text=True, check=True)
    assert [path for path in keyring.rglob("*") if path.is_file()]
    given = {"password": "keyring:labvirt/root"}
    record = runbook.run(book(make), given)
    assert record.outcome == "ok", record.error
    assert "the password is ***password***" in texts(record.notebook)
    assert record.parameters == given
    nowhere(secret, tmp_path)


@pytest.mark.parametrize(
    ("backend", "said"),
    [
        ("keyrings.alt.file.PlaintextKeyring", "keyring set labvirt root"),
        ("keyring.backends.null.Keyring", "no entry for keyring:labvirt/root"),
        ("keyring.backends.fail.Keyring", "PYTHON_KEYRING_BACKEND"),
    ],
)
def test_a_keyring_without_the_entry_is_one_clear_error(
    make, tmp_path, home, keyring, monkeypatch, backend, said
):
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", backend)
    done = subprocess.run(
        [LABVIRT, "run", str(book(make)), "-p", "password=keyring:labvirt/root"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((home / "runs").glob("*/*.ipynb")), "nothing was run"


def test_after_a_failure(make, tmp_path, home, secret):
    record = runbook.run(book(make, FAIL), {"password": "env:BOOK_PASSWORD"})
    assert record.outcome == "failed", record.error
    assert "cannot log in with" in record.error
    nowhere(secret, tmp_path)


@pytest.mark.parametrize("end", ["cancel", "kill the kernel", "kill the runner"])
def test_after_cancelling_and_after_a_kill(
    make, tmp_path, home, secret, wait_until, kernel_of, end
):
    on = tmp_path / "on"
    path = book(make, f"open({str(on)!r}, 'w').close(); print(plain, flush=True); time.sleep(60)")
    going = runbook.start(runbook.ask(path, {"password": "env:BOOK_PASSWORD"}))
    try:
        wait_until(on.exists, "the last cell")
        kernel = kernel_of(going.pid)
        # Nor is it to be found while the run goes on.
        nowhere(secret, tmp_path)
        if end == "cancel":
            going.cancel()
        else:
            os.kill(kernel.pid if end == "kill the kernel" else going.pid, signal.SIGKILL)
        record = going.result(60)
    finally:
        going.close()
    assert record.outcome == ("cancelled" if end == "cancel" else "died")
    wait_until(lambda: not kernel.is_running(), "the kernel to end")
    nowhere(secret, tmp_path)
    # What is made of the record afterwards is made of what is in it.
    for command in ("show", "report"):
        done = subprocess.run(
            [LABVIRT, "runs", command, going.id], capture_output=True, text=True, check=True
        )
        assert secret not in done.stdout + done.stderr
    nowhere(secret, tmp_path)


def test_by_the_command_and_by_the_engine_of_papermill(make, tmp_path, home, secret):
    path = book(make)
    given = ["-p", "password=env:BOOK_PASSWORD"]
    done = subprocess.run(
        [LABVIRT, "run", str(path), *given], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert secret not in done.stdout + done.stderr
    output = tmp_path / "out.ipynb"
    papermill = [sys.executable, "-m", "papermill", "--engine", "labvirt", str(path), str(output)]
    subprocess.run(
        [*papermill, "-p", "password", "env:BOOK_PASSWORD"], capture_output=True, check=True
    )
    assert "the password is" in output.read_text()
    nowhere(secret, tmp_path)


def test_a_secret_given_by_its_value_is_refused_and_taken_out(make, tmp_path, home, secret):
    path = book(make)
    with pytest.raises(SpecError, match="env:NAME") as caught:
        runbook.run(path, {"password": secret})
    assert secret not in str(caught.value)
    output = tmp_path / "out.ipynb"
    papermill = [sys.executable, "-m", "papermill", "--engine", "labvirt", str(path), str(output)]
    done = subprocess.run(
        [*papermill, "-p", "password", secret], capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    nowhere(secret, tmp_path)


def test_a_cell_tagged_secret_keeps_no_output(make, home, texts):
    path = make(("print('hidden'); 'hidden too'", "secret"), "print('shown')")
    record = runbook.run(path, html=False)
    assert "shown" in texts(record.notebook)
    assert "hidden" not in texts(record.notebook)


def test_a_secret_that_gets_through_fails_the_run(make, tmp_path, home, secret):
    """The book writes it to a file of the run's folder itself."""
    leak = "import os; open(os.environ['LABVIRT_RUN_FOLDER'] + '/notes.txt', 'w').write(plain)"
    record = runbook.run(book(make, leak), {"password": "env:BOOK_PASSWORD"}, html=False)
    assert record.outcome == "failed", record.error
    assert "notes.txt" in record.error
    assert secret not in record.error


def test_the_beginning_of_a_secret_alone_is_ordinary_text(make, home, secret, texts):
    """It is held back until the cell ends, and is then the first that the cell put out."""
    begins = "import sys; sys.stderr.write('<' + plain[:9])"
    shows = f"{begins}; from IPython.display import HTML, display; display(HTML('<i>x</i>'))"
    record = runbook.run(
        book(make, "plain[:3]; sys.stdout.write(plain[:9]); None", shows, begins),
        {"password": "env:BOOK_PASSWORD"},
        html=False,
    )
    assert record.outcome == "ok", record.error
    assert texts(record.notebook).count(secret[:9]) == 3
