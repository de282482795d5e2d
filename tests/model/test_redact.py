"""No secret stays in XML that is shown, and nothing else changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.errors import SpecError
from labvirt.model.redact import redact_words, redact_xml
from labvirt.model.xml import DomainXml, GraphicsXml

SECRETS = {
    "vnc": "<graphics type='vnc' passwd='hunter2'/>",
    "double quotes": '<graphics type="spice" passwd="hunter2" port="1"/>',
    "attribute password": "<x password='hunter2'/>",
    "element password": "<x><password>hunter2</password></x>",
    "element secret": "<x><secret>hunter2</secret></x>",
    "token": "<x api_token='hunter2'/>",
    "qemu argument": "<x><arg value='-vnc :1,password=hunter2,to=99'/></x>",
    "qemu argument, object": "<x><arg value='secret,id=sec0,data=x,password=hunter2'/></x>",
    "environment": "<x><env name='DB_PASSWORD' value='hunter2'/></x>",
    "kernel line": "<os><cmdline>ro root_password=hunter2 quiet</cmdline></os>",
    "preseed": "<os><cmdline>passwd/root-password=hunter2 auto=true</cmdline></os>",
    "quoted": '<os><cmdline>token="hunter2 and more" quiet</cmdline></os>',
    "init argument": "<os><initarg>--secret=hunter2</initarg></os>",
    "description": "<domain><description>the root password: hunter2</description></domain>",
    "not XML": "<graphics passwd='hunter2' <",
    "not XML, words": "password=hunter2 <",
}


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_each_secret_is_masked(text):
    shown = redact_xml(text)
    assert "hunter2" not in shown
    assert "***" in shown
    assert redact_xml(shown) == shown


def test_everything_but_the_secret_stays_byte_for_byte(data):
    text = (data / "domains" / "07-secure-boot-tpm.xml").read_text()
    assert redact_xml(text) == text.replace("passwd='hunter2'", "passwd='***'")
    assert DomainXml.parse(text).redacted() == redact_xml(text)


def test_documents_without_secrets_are_unchanged(sample):
    if "passwd=" not in sample:
        assert redact_xml(sample) == sample


def test_pointers_to_secrets_are_no_secrets(data):
    for name in ("05-luks", "19-network-disks"):
        text = (data / "domains" / f"{name}.xml").read_text()
        assert redact_xml(text) == text


def test_plain_words_are_masked_too():
    assert redact_words("a password=x b") == "a password=*** b"
    assert redact_words("nothing here: at all") == "nothing here: at all"


def test_an_error_about_a_password_does_not_show_it():
    graphics = GraphicsXml.new(type="vnc")
    with pytest.raises(SpecError) as caught:
        graphics.password = "hunter2\x00"
    assert "hunter2" not in str(caught.value)
    assert caught.value.problems[0].value == "***"


def test_a_whole_domain_with_secrets_everywhere_is_masked(schema):
    text = (
        "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
        "<name>a</name><memory>1</memory><os><type>hvm</type>"
        "<cmdline>quiet preseed/password=hunter2 url=http://x/</cmdline></os><devices>"
        "<graphics type='vnc' passwd='hunter2' port='5901'/>"
        "<graphics type='spice' passwd=\"hunter2\"/>"
        "</devices><qemu:commandline><qemu:arg value='-object'/>"
        "<qemu:arg value='secret,id=a,password=hunter2'/>"
        "<qemu:env name='API_TOKEN' value='hunter2'/></qemu:commandline></domain>"
    )
    assert schema.check(text) == ()
    shown = redact_xml(text)
    assert "hunter2" not in shown
    assert shown.count("***") == 5
    assert schema.check(shown) == ()
    assert "url=http://x/" in shown
    assert "port='5901'" in shown


@given(st.text(max_size=200))
def test_any_text_is_masked_without_failing(text):
    assert isinstance(redact_xml(text), str)
    assert redact_words(redact_words(text)) == redact_words(text)
