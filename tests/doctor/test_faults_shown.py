"""What a view says of an error: its words, the cause, and a fold; in both languages."""

from __future__ import annotations

import pytest

from labvirt.errors import ConflictError, NotFoundError, SpecError
from labvirt.widgets.i18n import set_language
from labvirt.widgets.managing.faults import fault


@pytest.fixture(autouse=True)
def english():
    yield
    set_language(None)


def inactive():
    said = "Requested operation is not valid: network 'lan' is not active"
    return ConflictError("start domain web1", uri="test:///x", libvirt_text=said, code=55)


def test_the_cause_stands_in_a_line_and_the_rest_is_folded():
    set_language("en")
    html = fault(inactive())
    assert "network &#x27;lan&#x27; is not active" in html
    assert "the virtual network lan is not running" in html
    assert "<details><summary>" in html
    assert "virsh net-start lan" in html


def test_the_cause_is_told_in_russian():
    set_language("ru")
    html = fault(inactive())
    assert "Причина:" in html
    assert "виртуальная сеть lan не запущена" in html


def test_what_was_asked_names_the_pool_that_libvirt_does_not():
    said = "cannot open directory '/srv/lost': No such file or directory"
    error = NotFoundError(
        "start pool lost", hint="check the path as the host sees it",
        uri="qemu:///system", libvirt_text=said, code=38,
    )  # fmt: skip
    set_language("ru")
    html = fault(error)
    assert "virsh pool-start lost" in html
    assert "POOL" not in html
    assert "проверьте путь" in html


def test_an_error_of_ours_has_no_second_cause():
    assert "<details>" not in fault(SpecError("memory: is too small"))
