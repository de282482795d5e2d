"""``labvirt notebook``: the user's copies of the notebooks, and JupyterLab on them."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import nbformat
import pytest
from typer.testing import CliRunner

import labvirt
from labvirt import cli, cli_notebook, shelf
from labvirt.errors import LabvirtError, SpecError

LABVIRT = str(Path(sys.executable).with_name("labvirt"))
ROOT = Path(__file__).parent.parent


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A package with two books of its own."""
    folder = tmp_path / "package"
    (folder / "runbooks").mkdir(parents=True)
    found = {
        "00-index.ipynb": folder / "00-index.ipynb",
        "runbooks/a.ipynb": folder / "runbooks/a.ipynb",
    }
    for path in found.values():
        path.write_text("first")
        path.chmod(0o444)
    monkeypatch.setattr(shelf, "books", lambda: found)
    return found


def renew(path, text):
    path.chmod(0o644)
    path.write_text(text)


def test_books_are_copied_once_and_can_be_written(source, tmp_path):
    laid = shelf.lay_out(tmp_path / "mine")
    assert laid.made == ("00-index.ipynb", "runbooks/a.ipynb")
    copy = laid.folder / "runbooks" / "a.ipynb"
    assert copy.stat().st_mode & 0o200
    assert shelf.lay_out(tmp_path / "mine") == shelf.Laid(laid.folder, (), ())


def test_a_newer_book_takes_the_place_of_one_that_nobody_changed(source, tmp_path):
    shelf.lay_out(tmp_path)
    renew(source["00-index.ipynb"], "second")
    assert shelf.lay_out(tmp_path).made == ("00-index.ipynb",)
    assert (tmp_path / "00-index.ipynb").read_text() == "second"


def test_what_the_user_changed_is_never_written_over(source, tmp_path):
    shelf.lay_out(tmp_path)
    mine = tmp_path / "00-index.ipynb"
    mine.write_text("mine")
    assert shelf.lay_out(tmp_path).kept == ("00-index.ipynb",)
    assert sorted(each.name for each in tmp_path.glob("*.ipynb")) == ["00-index.ipynb"]
    renew(source["00-index.ipynb"], "second")
    assert shelf.lay_out(tmp_path).kept == ("00-index.ipynb",)
    assert mine.read_text() == "mine"
    assert (tmp_path / "00-index.new.ipynb").read_text() == "second"
    renew(source["00-index.ipynb"], "third")
    shelf.lay_out(tmp_path)
    assert (tmp_path / "00-index.new.ipynb").read_text() == "third"
    mine.unlink()
    assert shelf.lay_out(tmp_path).made == ("00-index.ipynb",)


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"00-index.ipynb": 3}'])
def test_with_a_damaged_list_every_file_is_the_users(source, tmp_path, damage):
    shelf.lay_out(tmp_path)
    (tmp_path / ".labvirt.json").write_text(damage)
    renew(source["00-index.ipynb"], "second")
    assert "00-index.ipynb" in shelf.lay_out(tmp_path).kept
    assert (tmp_path / "00-index.ipynb").read_text() == "first"
    assert json.loads((tmp_path / ".labvirt.json").read_text())


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(LabvirtError, match=r"laid out in .*file") as caught:
        shelf.lay_out(tmp_path / "file" / "books")
    assert "--folder" in str(caught.value)


def test_books_are_found_by_name_and_path():
    assert shelf.pick("") == shelf.pick("index") == "00-index.ipynb"
    assert shelf.pick("manager") == shelf.pick("manager.ipynb") == "manager.ipynb"
    assert shelf.pick("install") == "runbooks/install.ipynb"
    for bad in ("managr", "../etc/passwd", "x" * 500, "/", "<b>"):
        with pytest.raises(SpecError, match="there is no notebook"):
            shelf.pick(bad)
    with pytest.raises(SpecError, match="did you mean 'manager'"):
        shelf.pick("managr")


def refused(*argv):
    done = CliRunner().invoke(cli.app, ["notebook", *argv])
    assert isinstance(done.exception, LabvirtError), done.output
    return str(done.exception)


def test_bad_wishes_are_refused_before_anything_is_written(monkeypatch, home):
    monkeypatch.setattr(cli_notebook.os, "execv", lambda *_: pytest.fail("it was started"))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port} cannot be used: Address already in use" in refused("--port", str(port))
    assert "no notebook 'nosuch'" in refused("nosuch")
    for argv in (["--port", "0"], ["--port", "65536"], ["--port", "x"], ["--lang", "de"]):
        assert CliRunner().invoke(cli.app, ["notebook", *argv]).exit_code == 2
    monkeypatch.setattr(cli_notebook.importlib.util, "find_spec", lambda _name: None)
    assert "pip install jupyterlab" in refused()
    assert not (home / "notebooks").exists()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def test_jupyterlab_is_told_where_what_and_in_which_language(monkeypatch, home):
    called = []
    monkeypatch.setattr(cli_notebook.os, "execv", lambda *argv: called.append(argv))
    monkeypatch.setenv("LABVIRT_LANG", "en")
    port = free_port()
    done = CliRunner().invoke(cli.app, ["notebook", "install", "--lang", "ru", "--port", str(port)])
    assert done.exit_code == 0, done.output
    assert str(home / "notebooks") in done.output
    ((python, argv),) = called
    assert (python, argv[:3]) == (sys.executable, [sys.executable, "-m", "jupyterlab"])
    assert f"--ServerApp.root_dir={home / 'notebooks'}" in argv
    assert "--LabApp.default_url=/lab/tree/runbooks/install.ipynb" in argv
    assert {"--ServerApp.port_retries=0", f"--port={port}"} < set(argv)
    assert "--no-browser" not in argv
    assert os.environ["LABVIRT_LANG"] == "ru"
    assert (home / "notebooks" / "runbooks" / "install.ipynb").exists()


@pytest.mark.slow(seconds=8)
def test_jupyterlab_starts_on_the_book_and_ends_at_ctrl_c(tmp_path):
    port, folder = free_port(), tmp_path / "mine"
    process = subprocess.Popen(
        [
            *(LABVIRT, "notebook", "manager", "--no-browser", "--lang", "ru"),
            *("--port", str(port), "--folder", str(folder)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "JUPYTER_CONFIG_DIR": str(tmp_path), "JUPYTER_DATA_DIR": str(tmp_path)},
        start_new_session=True,
    )
    try:
        said = read_until(process, rb"http://127\.0\.0\.1:\d+/lab/tree/manager\.ipynb\?token=\w+")
        address = re.search(r"http://127\S+", said)[0]
        assert f":{port}/" in address
        assert answered(address) == 200
        environment = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
        assert b"LABVIRT_LANG=ru" in environment, "it is handed to the kernels"
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=30)
        assert process.returncode == 0, rest.decode()
        assert b"y/[n]" not in rest, "it asks nobody"
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        process.stdout.close()
    assert (folder / "manager.ipynb").exists()


def answered(address, timeout_s=30):
    """Return the status of a page; the address is printed a moment before anybody listens there."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            with urllib.request.urlopen(address, timeout=20) as page:
                return page.status
        except urllib.error.URLError:
            assert time.monotonic() < until, f"nobody listens at {address}"
            time.sleep(0.1)


def read_until(process, pattern, timeout_s=60):
    said, until = b"", time.monotonic() + timeout_s
    while not re.search(pattern, said):
        assert time.monotonic() < until, said.decode()
        if select.select([process.stdout], [], [], 1)[0]:
            more = os.read(process.stdout.fileno(), 65536)
            assert more, said.decode()
            said += more
    return said.decode()


@pytest.mark.slow(seconds=6)
def test_a_wheel_has_the_same_books(tmp_path):
    pytest.importorskip("hatchling", reason="hatchling builds the wheel; it is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "there")
    code = "from labvirt import shelf; print(shelf.__file__, *shelf.books())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "there")},
    )
    where, *books = done.stdout.split()
    assert where.startswith(str(tmp_path))
    assert books == list(shelf.books())


# -- how they are written --------------------------------------------------------------------------

FIRST = ("00-index.ipynb", "manager.ipynb")


def cells_of(name, kind):
    read = nbformat.read(shelf.books()[name], as_version=nbformat.NO_CONVERT)
    return [cell for cell in read.cells if cell.cell_type == kind]


@pytest.mark.parametrize("name", FIRST)
def test_a_book_is_well_made(name):
    read = nbformat.read(shelf.books()[name], as_version=nbformat.NO_CONVERT)
    nbformat.validate(read)
    ids = [cell.id for cell in read.cells]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z][a-z-]+", found) for found in ids), "ids that mean something"
    code = cells_of(name, "code")
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    tags = [tag for cell in code for tag in cell.metadata.get("tags", [])]
    assert tags.count("parameters") == tags.count("always") == 1


@pytest.mark.parametrize("name", FIRST)
def test_links_of_a_book_lead_to_books(name):
    text = "".join(cell.source for cell in cells_of(name, "markdown"))
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links
    assert set(links) <= set(shelf.books())
    if name == shelf.INDEX:
        assert set(links) == set(shelf.books()) - {shelf.INDEX}


@pytest.mark.parametrize("name", FIRST)
def test_a_book_names_only_views_that_are_there(name):
    text = "".join(c.source for kind in ("code", "markdown") for c in cells_of(name, kind))
    views = set(re.findall(r"lv\.ui\.(\w+)", text))
    assert views <= set(labvirt.ui.__all__)
    if name == "manager.ipynb":
        shown = {view for view in labvirt.ui.__all__ if view[0].islower()}
        # Migrations have a walkthrough of their own, and exercises a book.
        assert shown <= views | {"migration", "exercise"}, "the tour shows each view"
