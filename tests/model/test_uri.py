"""Connection URIs: every example of guide 13.3, every row of table 13.1, and nothing lost."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labvirt.errors import SpecError
from labvirt.model.uri import PARAMETERS, TRANSPORTS, Uri
from labvirt.model.uri_table import BARE, DRIVERS

EXAMPLES = [
    # text, driver, transport used, user, host, port, path, parameters
    ("xen+ssh://ccurran@towada/", "xen", "ssh", "ccurran", "towada", None, "/", {}),
    ("xen://towada/", "xen", "tls", "", "towada", None, "/", {}),
    ("xen://towada/?no_verify=1", "xen", "tls", "", "towada", None, "/", {"no_verify": "1"}),
    ("qemu+ssh://towada/system", "qemu", "ssh", "", "towada", None, "/system", {}),
    (
        "qemu+unix:///system?socket=/opt/libvirt/run/libvirt/libvirt-sock",
        "qemu", "unix", "", "", None, "/system",
        {"socket": "/opt/libvirt/run/libvirt/libvirt-sock"},
    ),
    ("test+tcp://10.1.1.10:5000/default", "test", "tcp", "", "10.1.1.10", 5000, "/default", {}),
    ("qemu:///system", "qemu", "unix", "", "", None, "/system", {}),
    ("qemu:///session", "qemu", "unix", "", "", None, "/session", {}),
    ("test:///default", "test", "none", "", "", None, "/default", {}),
    ("qemu+ssh://root@[fe80::1%25eth0]:2222/system", "qemu", "ssh", "root", "fe80::1%eth0", 2222,
     "/system", {}),
    ("qemu+tls://[2001:db8::7]/system", "qemu", "tls", "", "2001:db8::7", None, "/system", {}),
    ("esx://root@vcenter.example.org/dc1?no_verify=1", "esx", "none", "root",
     "vcenter.example.org", None, "/dc1", {"no_verify": "1"}),
]  # fmt: skip


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example[0])
def test_the_examples_of_the_guide(example):
    text, driver, transport, user, host, port, path, params = example
    uri = Uri.parse(text)
    assert uri.driver == driver
    assert uri.effective_transport == transport
    assert (uri.user, uri.host, uri.port, uri.path) == (user, host, port, path)
    assert dict(uri.params) == params
    assert uri.build() == str(uri) == text


@pytest.mark.parametrize(
    "text",
    [
        "qemu:///system?",
        "qemu+tcp://h:016509/system",
        "qemu+ssh://h/system?socket=%2Frun%2fx&no_tty=1",
        "qemu+ssh://h/system?no_tty=1;no_verify=0",
        "qemu+ssh://h/system?&no_tty=1&&",
        "qemu+ssh://me%40home@h/system",
        "QEMU:///system",
        "qemu+ssh://h/system?socket=/a+b",
        "qemu+tcp://h:/system",
        "test:///path/with%20space.xml",
    ],
)
def test_odd_spellings_come_back_as_they_were(text):
    assert Uri.parse(text).build() == text


def test_escapes_are_read():
    uri = Uri.parse("qemu+ssh://me%40home@h/system?socket=%2Frun%2Fa%26b%3Dc&name=test:///default")
    assert uri.user == "me@home"
    assert uri.param("socket") == "/run/a&b=c"
    assert uri.param("name") == "test:///default"


def test_a_plus_sign_is_a_plus_sign():
    """Libvirt does not read it as a space, as a web browser would."""
    uri = Uri.parse("qemu+unix:///session?socket=/tmp/a+b")
    assert uri.param("socket") == "/tmp/a+b"
    rebuilt = uri.with_(path="/system").build()
    assert Uri.parse(rebuilt).param("socket") == "/tmp/a+b"


@pytest.mark.parametrize(("bare", "meant"), sorted(BARE.items()))
def test_a_bare_driver_name_means_the_local_host(bare, meant):
    assert str(Uri.parse(bare)) == meant
    assert Uri.parse(bare) == Uri.parse(meant)
    assert Uri.parse(bare).is_local


# the property: nothing is lost

NAMES = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=12)
TEXTS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc")),
    min_size=1,
    max_size=20,
)
HOSTS = st.one_of(
    st.lists(NAMES, min_size=1, max_size=3).map(".".join),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
)
#: What may stand in a query as it is, beside escapes.
RAW = st.text(string.ascii_letters + string.digits + "-._~:@!$'()*,/?%+ä", max_size=12).map(
    lambda text: text.replace("%", "%41")
)


@st.composite
def uris(draw) -> Uri:
    transport = draw(st.sampled_from([None, *TRANSPORTS]))
    local = transport == "unix" or (transport is None and draw(st.booleans()))
    host = "" if local else draw(HOSTS)
    params = draw(
        st.lists(st.tuples(TEXTS.filter(lambda n: n not in PARAMETERS), TEXTS), max_size=4)
    )
    if transport == "ext":
        params.append(("command", draw(TEXTS)))
    if transport == "ssh" and draw(st.booleans()):
        params.append(("no_tty", draw(st.sampled_from(["0", "1", "-1"]))))
    return Uri(
        driver=draw(st.sampled_from(["xen", "lxc", "test", "vbox", "bhyve"])),
        transport=transport,
        user=draw(st.one_of(st.just(""), TEXTS)) if host else "",
        host=host,
        port=draw(st.one_of(st.none(), st.integers(1, 65535))) if host else None,
        path=draw(st.one_of(st.just(""), TEXTS.map(lambda t: "/" + t))),
        params=tuple(params),
    )


@given(uris())
def test_what_is_built_reads_back_the_same(uri):
    text = uri.build()
    read = Uri.parse(text)
    assert read == uri
    assert read.build() == text


@given(uris(), st.lists(st.tuples(NAMES, RAW), max_size=4))
def test_what_is_read_builds_back_the_same_text(uri, more):
    """build(parse(u)) == u for texts that we would have escaped otherwise."""
    text = uri.with_(params=()).build() if uri.transport != "ext" else uri.build()
    query = "&".join(f"x{name}={value}" for name, value in more)
    text += ("&" if "?" in text else "?") + query if query else ""
    assert Uri.parse(text).build() == text


@given(uris())
def test_a_copy_that_is_written_anew_is_equal(uri):
    read = Uri.parse(uri.build())
    assert read.with_() == uri
    assert hash(read) == hash(uri)


# rules and tables


@pytest.mark.parametrize(
    ("text", "transport", "local", "port"),
    [
        ("qemu:///system", "unix", True, None),
        ("qemu+unix:///system", "unix", True, None),
        ("qemu://h/system", "tls", False, 16514),
        ("qemu+tls://h/system", "tls", False, 16514),
        ("qemu+tcp://h/system", "tcp", False, 16509),
        ("qemu+ssh://h/system", "ssh", False, 22),
        ("qemu+libssh://h/system", "libssh", False, 22),
        ("qemu+libssh2://h/system", "libssh2", False, 22),
        ("qemu+ext:///system?command=/bin/x", "ext", False, None),
        ("test:///default", "none", True, None),
        ("qemu:///embed?root=/tmp/x", "none", True, None),
        ("esx://h/", "none", False, None),
    ],
)
def test_transport_place_and_port_follow_the_rules(text, transport, local, port):
    """G13.3-01 to -06: a host without a transport means tls, no host means unix."""
    uri = Uri.parse(text)
    assert uri.effective_transport == transport
    assert uri.is_local is local
    assert uri.default_port == port


def test_table_13_1_is_there_with_the_transports_of_each_row():
    assert PARAMETERS["name"].transports == ()
    assert set(PARAMETERS["command"].transports) == {"ssh", "ext"}
    assert {"unix", "ssh"} <= set(PARAMETERS["socket"].transports)
    assert "ssh" in PARAMETERS["netcat"].transports
    assert "tls" in PARAMETERS["no_verify"].transports
    assert "ssh" in PARAMETERS["no_tty"].transports
    for known in PARAMETERS.values():
        assert known.text
        assert set(known.transports) <= set(TRANSPORTS)


@pytest.mark.parametrize("name", sorted(PARAMETERS))
def test_every_parameter_is_read_where_it_belongs_and_flagged_elsewhere(name):
    known = PARAMETERS[name]
    value = "1" if known.is_flag else (known.values[0] if known.values else "/some/thing")
    for transport in known.transports or ("ssh", "tls"):
        more = "&command=/bin/x" if transport == "ext" and name != "command" else ""
        host = "" if transport in ("unix", "ext") else "h"
        uri = Uri.parse(f"xen+{transport}://{host}/?{name}={value}{more}")
        assert uri.param(name) == value
        assert not any("means nothing" in warning for warning in uri.warnings)
    for transport in set(TRANSPORTS) - set(known.transports) - {"ext"} if known.transports else ():
        host = "" if transport == "unix" else "h"
        uri = Uri.parse(f"xen+{transport}://{host}/?{name}={value}")
        assert any(f"{name}: means nothing to {transport}" in warning for warning in uri.warnings)


def test_flags_are_numbers_and_not_zero_means_yes():
    assert Uri.parse("qemu+ssh://h/system?no_tty=1").flag("no_tty")
    assert Uri.parse("qemu+ssh://h/system?no_tty=-3").flag("no_tty")
    assert not Uri.parse("qemu+ssh://h/system?no_tty=0").flag("no_tty")
    assert not Uri.parse("qemu+ssh://h/system").flag("no_tty")


def test_of_a_parameter_given_twice_the_last_one_counts():
    uri = Uri.parse("qemu+ssh://h/system?keyfile=/a&keyfile=/b")
    assert uri.param("keyfile") == "/b"
    assert uri.build() == "qemu+ssh://h/system?keyfile=/a&keyfile=/b"


def test_unknown_parameters_are_kept_flagged_and_passed_on():
    """G13.3-14; the guide says they are ignored, but libvirt passes them on (E-70)."""
    uri = Uri.parse("qemu+ssh://h/system?no_tyt=1&zone=7")
    assert uri.unknown_params == ("no_tyt", "zone")
    assert uri.param("zone") == "7"
    assert any("did you mean 'no_tty'?" in warning for warning in uri.warnings)
    assert uri.remote_name == "qemu:///system?no_tyt=1&zone=7"


def test_parameters_of_a_driver_in_this_process_are_its_own():
    assert Uri.parse("esx://h/?auto_answer=1").unknown_params == ()
    assert Uri.parse("esx://h/?auto_answer=1").warnings == ()


def test_warnings_name_what_is_dangerous():
    def warned(text: str, word: str) -> bool:
        return any(word in warning for warning in Uri.parse(text).warnings)

    assert warned("qemu+tcp://h/system", "not encrypted")
    assert warned("qemu+tls://h/system?no_verify=1", "pretend to be this host")
    assert not warned("qemu+tls://h/system?no_verify=0", "pretend")
    assert warned("qemu+ssh://h/system?no_verify=1", "host key")
    assert warned("qemu+libssh2://h/system?known_hosts_verify=ignore", "pretend")
    assert warned("qemu+ssh://me:pw@h/system", "password")
    assert Uri.parse("qemu+ssh://h/system").warnings == ()
    assert Uri.parse("qemu:///system").warnings == ()


def test_the_remote_daemon_is_asked_for_the_uri_without_the_way_to_it():
    assert Uri.parse("qemu+ssh://me@h:22/system?no_tty=1").remote_name == "qemu:///system"
    assert Uri.parse("qemu+ssh://h/system?name=test:///default").remote_name == "test:///default"


# sockets and the ssh line


def test_sockets_are_looked_for_where_libvirt_does():
    """G13.3-02."""
    system = Uri.parse("qemu:///system")
    assert system.sockets() == ("/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock")
    assert system.sockets(readonly=True)[-1] == "/run/libvirt/libvirt-sock-ro"
    assert Uri.parse("qemu:///system?mode=legacy").sockets() == ("/run/libvirt/libvirt-sock",)
    assert Uri.parse("qemu:///system?mode=direct").sockets() == ("/run/libvirt/virtqemud-sock",)
    session = Uri.parse("qemu:///session").sockets(runtime="/run/user/7", readonly=True)
    assert session[-1] == "/run/user/7/libvirt/libvirt-sock"
    assert Uri.parse("qemu+unix:///system?socket=/x").sockets(readonly=True) == ("/x",)


def test_the_ssh_line_of_the_guide():
    """G13.3-18: command -p port [-l user] host netcat -U socket."""
    line = Uri.parse("qemu+ssh://me@h:2222/system?netcat=/usr/bin/ncat").ssh_line()
    assert line == ("ssh -p 2222 -l me -T -e none -- h /usr/bin/ncat -U /run/libvirt/libvirt-sock")
    short = Uri.parse("xen+ssh://h/").ssh_line(readonly=True)
    assert short == "ssh -T -e none -- h nc -U /run/libvirt/libvirt-sock-ro"
    full = Uri.parse(
        "qemu+ssh://h/system?command=/opt/my ssh&socket=/s&keyfile=/k&no_tty=1&no_verify=1".replace(
            " ", "%20"
        )
    ).ssh_line()
    assert full == (
        "'/opt/my ssh' -i /k -T -e none -o BatchMode=yes -o StrictHostKeyChecking=no -- h nc -U /s"
    )
    with pytest.raises(SpecError, match="does not use the ssh program"):
        Uri.parse("qemu:///system").ssh_line()


# changing


def test_a_parameter_is_set_changed_and_removed():
    uri = Uri.parse("qemu+ssh://h/system?keyfile=/a&keyfile=/b&x=1")
    assert uri.with_param("keyfile", "/c").build() == "qemu+ssh://h/system?x=1&keyfile=/c"
    assert uri.with_param("keyfile", None).build() == "qemu+ssh://h/system?x=1"
    assert uri.build().count("keyfile") == 2


def test_a_change_is_checked():
    with pytest.raises(SpecError):
        Uri.parse("qemu:///system").with_(transport="ssh")
    with pytest.raises(SpecError):
        Uri(driver="qemu", path="system")
    assert Uri.parse("qemu:///system").with_(path="/session").build() == "qemu:///session"


# refusals

WRONG = [
    ("", "it is empty"),
    ("qemuu:///system", "did you mean 'qemu'?"),
    ("quemu+ssh://h/system", "did you mean 'qemu'?"),
    ("qemu+shh://h/system", "did you mean 'ssh'?"),
    ("qemu+://h/system", "no such transport"),
    ("://h/system", "no such driver"),
    ("qemu:///sytem", "did you mean '/system'?"),
    ("qemu:///", "no such service"),
    ("qemu:/system", "there is no '://'"),
    ("qemu//system", "there is no '://'"),
    ("qmeu", "did you mean 'qemu:///system'?"),
    ("/run/libvirt/libvirt-sock", "there is no '://'"),
    ("qemu+ssh:///system", "ssh needs a host"),
    ("qemu+tcp:///system", "tcp needs a host"),
    ("qemu+unix://h/system", "reaches this machine only"),
    ("qemu+ssh://h:0/system", "out of range"),
    ("qemu+ssh://h:65536/system", "out of range"),
    ("qemu+ssh://h:ssh/system", "is not a number"),
    ("qemu+ssh://h:22:23/system", "is not a number"),
    ("qemu+ssh://fe80::1/system", "is not a number"),
    ("qemu+ssh://[fe80::zz]/system", "is not an IPv6 address"),
    ("qemu+ssh://[1.2.3.4]/system", "brackets"),
    ("qemu+ssh://-oProxyCommand=x/system", "is not a host name"),
    ("qemu+ssh://h_ost!/system", "is not a host name"),
    ("qemu+ssh://a b/system", "' ' must be written as %20"),
    ("qemu:///system\n", "must be written as %0A"),
    ("qemu:///system#x", "%23"),
    ("qemu://user@/system", "no host"),
    ("qemu+ssh://h/system?no_tty=yes", "must be a number"),
    ("qemu+ssh://h/system?no_verify=", "must be a number"),
    ("qemu+ssh://h/system?proxy=nativ", "did you mean 'native'?"),
    ("qemu:///system?mode=odd", "one of: auto, legacy, direct"),
    ("qemu+unix:///system?socket=", "is empty"),
    ("qemu+ext:///system", "ext needs a program"),
    ("qemu+ssh://" + "h" * 300 + "/system", "is not a host name"),
]


@pytest.mark.parametrize(("text", "why"), WRONG)
def test_a_uri_that_cannot_be_right_says_why_and_what_would_do(text, why):
    with pytest.raises(SpecError) as caught:
        Uri.parse(text)
    assert why in str(caught.value)
    assert caught.value.problems
    assert caught.value.exit_code == 2
    assert len(str(caught.value)) < 1000


@given(st.text(max_size=60))
def test_no_text_at_all_breaks_the_reader(text):
    try:
        read = Uri.parse(text)
    except SpecError:
        return
    assert read.build() in (text, BARE.get(text))


@given(st.sampled_from(sorted(DRIVERS)), st.text(max_size=40))
def test_no_tail_after_a_driver_breaks_the_reader(driver, tail):
    text = f"{driver}+ssh://{tail}"
    try:
        assert Uri.parse(text).build() == text
    except SpecError:
        return


def test_several_faults_are_named_in_one_go():
    with pytest.raises(SpecError) as caught:
        Uri.parse("qemu+ssh:///sytem?no_tty=maybe")
    assert [problem.field for problem in caught.value.problems] == ["host", "path", "params.no_tty"]


# secrets


@pytest.mark.parametrize(
    "text",
    [
        "qemu+ssh://me:s3cret@h/system",
        "qemu+ssh://h/system?password=s3cret",
        "esx://h/?passwd=s3cret&no_verify=1",
        "qemu+ssh://h/system?token=s3cret#x",
        "qemu+ssh://me:s3cret@h:99999/system",
        "qemuu://me:s3cret@h/system",
    ],
)
def test_what_looks_like_a_password_is_in_no_message(text):
    try:
        shown = Uri.parse(text).redacted()
    except SpecError as error:
        shown = str(error)
    assert "s3cret" not in shown


def test_redacting_leaves_the_rest_readable():
    text = "qemu+ssh://me@h/system?keyfile=/home/me/key&no_tty=1"
    assert Uri.parse(text).redacted() == text
    masked = Uri.parse("esx://me:s3cret@h/?passwd=s3cret&no_verify=1").redacted()
    assert masked == "esx://me:***@h/?passwd=***&no_verify=1"
