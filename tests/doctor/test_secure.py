"""Confinement, ports, services, log-ins, certificates: well and ill (guide 6, 7, 13.2)."""

from __future__ import annotations

import datetime as dt

import pytest

from labvirt.doctor.check_secure import fcontext, listeners
from labvirt.hostprep.pki import Authority

DEBIAN = {"/etc/os-release": "ID=debian\n"}
FEDORA = {"/etc/os-release": "ID=fedora\n"}
ENABLED = {"/sys/module/apparmor/parameters/enabled": "Y\n"}
PROFILES = "/sys/kernel/security/apparmor/profiles"


@pytest.mark.parametrize(
    ("files", "models", "verdict", "words"),
    [
        (ENABLED | {PROFILES: "libvirtd (enforce)\n"}, ("apparmor",), "ok", "1 profiles"),
        (ENABLED | {PROFILES: "libvirtd (complain)\n"}, ("apparmor",), "warning", "aa-enforce"),
        (ENABLED, ("none", "dac"), "warning", "security_driver"),
        ({}, ("none",), "warning", "apparmor=1"),
        (FEDORA, ("selinux",), "n/a", ""),
    ],
)
def test_apparmor(ask, machine, stand_in, files, models, verdict, words):
    (seen,) = ask("host.apparmor", machine(DEBIAN | files), host=stand_in.host(models=models))
    assert seen.verdict == verdict
    assert words in f"{seen.evidence} {seen.remedy}"


@pytest.mark.parametrize(
    ("files", "verdict", "words"),
    [
        ({"/sys/fs/selinux/enforce": "1", "/etc/selinux/config": "SELINUX=enforcing\n"}, "ok", "enforcing"),
        ({"/sys/fs/selinux/enforce": "0", "/etc/selinux/config": "SELINUX=enforcing\n"}, "warning", "setenforce 1"),
        ({"/sys/fs/selinux/enforce": "1", "/etc/selinux/config": "SELINUX=permissive\n"}, "warning", "stays"),
        (FEDORA, "warning", "autorelabel"),
        (DEBIAN, "n/a", ""),
    ],
)  # fmt: skip
def test_selinux(ask, machine, files, verdict, words):
    (seen,) = ask("host.selinux", machine(files))
    assert seen.verdict == verdict
    assert words in f"{seen.evidence} {seen.remedy}"


def test_labels_of_pools(ask, machine, stand_in):
    assert fcontext("/virtstorage/") == (
        "semanage fcontext -a -t virt_image_t '/virtstorage(/.*)?'; restorecon -R -v /virtstorage/"
    )
    files = {"/sys/fs/selinux/enforce": "1", "/etc/selinux/config": "SELINUX=enforcing\n"}
    labels = {
        "ls -Zd /good": "system_u:object_r:virt_image_t:s0 /good\n",
        "ls -Zd /odd": "unconfined_u:object_r:default_t:s0 /odd\n",
        "getsebool": "virt_use_nfs --> off\n",
    }
    pools = [
        stand_in.pool("good", "/good"),
        stand_in.pool("odd", "/odd"),
        stand_in.pool("far", "/far", "netfs"),
    ]
    found = ask("host.selinux", machine(files, labels), host=stand_in.host(pools=pools))
    assert {one.about: one.verdict for one in found} == {
        "": "ok",
        "odd": "warning",
        "far": "warning",
    }
    assert "semanage fcontext" in found[1].remedy
    assert "setsebool -P virt_use_nfs on" in found[2].remedy


def test_services(ask, machine, stand_in):
    good = "    1 init\n    9 libvirtd\n"
    assert ask("host.services", machine({}, {"ps": good}))[0].verdict == "ok"
    bad = machine({}, {"ps": f"{good}  77 vsftpd\n  78 automount\n"})
    (seen,) = ask("host.services", bad)
    assert seen.verdict == "warning"
    assert "FTP: vsftpd (process 77)" in seen.evidence
    assert "systemctl disable --now vsftpd autofs" in seen.remedy
    host = stand_in.host("qemu:///session", lab="demo")
    assert ask("host.services", bad, host=host)[0].verdict == "n/a"


SS = """\
tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:* users:(("sshd",pid=1,fd=3))
tcp LISTEN 0 128 127.0.0.1:16509 0.0.0.0:*
tcp LISTEN 0 128 [::1]:631 [::]:*
udp UNCONN 0 0 0.0.0.0%virbr0:67 0.0.0.0:* users:(("dnsmasq",pid=9,fd=3))
"""


def test_ports(ask, machine):
    assert listeners(SS.splitlines()) == [
        ("tcp", "0.0.0.0", 22, "sshd, process 1"),
        ("udp", "0.0.0.0", 67, "dnsmasq, process 9"),
    ]
    (seen,) = ask("host.ports", machine({}, {"ss": SS}))
    assert seen.verdict == "ok"
    assert seen.evidence == "open to others: 22/tcp (sshd, process 1)"
    open_one = SS + 'tcp LISTEN 0 9 *:16509 *:* users:(("libvirtd",pid=5,fd=3))\n'
    (seen,) = ask("host.ports", machine({}, {"ss": open_one}))
    assert (seen.verdict, seen.about) == ("warning", "16509/tcp")
    assert "libvirtd-tcp.socket" in seen.remedy
    assert ask("host.ports", machine())[0].verdict == "unknown"


@pytest.mark.parametrize(
    ("conf", "verdict"),
    [
        ("", "ok"),
        ('vnc_listen = "127.0.0.1"\n', "ok"),
        ('vnc_listen = "0.0.0.0"\n', "warning"),
        ('vnc_listen = "0.0.0.0"\nvnc_tls = 1\n', "ok"),
        ('spice_listen = "::"\n', "warning"),
    ],
)
def test_displays(ask, machine, conf, verdict):
    (seen,) = ask("host.vnc-default", machine({"/etc/libvirt/qemu.conf": conf}))
    assert seen.verdict == verdict


@pytest.mark.parametrize(
    ("files", "verdict"),
    [
        ({"/etc/ssh/sshd_config": "PermitRootLogin yes\n"}, "warning"),
        ({"/etc/ssh/sshd_config": "#PermitRootLogin yes\nUsePAM yes\n"}, "ok"),
        ({"/etc/ssh/sshd_config": "PermitRootLogin yes\nPasswordAuthentication no\n"}, "ok"),
        (
            {
                "/etc/ssh/sshd_config.d/10-root.conf": "PermitRootLogin prohibit-password\n",
                "/etc/ssh/sshd_config": "PermitRootLogin yes\n",
            },
            "ok",
        ),
        ({}, "unknown"),
    ],
)
def test_root_over_ssh(ask, machine, files, verdict):
    (seen,) = ask("host.ssh-root", machine(files, {"pgrep -x sshd": "1\n"}))
    assert seen.verdict == verdict


def test_what_sshd_itself_says_counts_first(ask, machine):
    said = {"pgrep": "1\n", "sshd -T": "permitrootlogin yes\npasswordauthentication yes\n"}
    (seen,) = ask("host.ssh-root", machine({}, said))
    assert seen.verdict == "warning"
    assert ask("host.ssh-root", machine({}, {"pgrep": (1, "", "")}))[0].verdict == "n/a"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """Certificates that count, end soon, have ended: by name."""
    authority = Authority(tmp_path_factory.mktemp("pki") / "ca")
    authority.create()
    found = {}
    for name, days in (("good", 200), ("soon", 5), ("late", 1e-9)):
        found[name] = authority.server(name, days=days).cert.read_text()
    return found


@pytest.mark.parametrize(
    ("name", "verdict", "words"),
    [
        ("good", "ok", "1 count; the first to end: CN=good"),
        ("soon", "warning", "ends in 5 days"),
        ("late", "fail", "refuses the connection"),
    ],
)
def test_certificates(ask, machine, certificates, name, verdict, words):
    made = machine({"/etc/pki/libvirt/servercert.pem": certificates[name]}, {"pgrep": (1, "", "")})
    (seen,) = ask("host.tls-expiry", made)
    assert seen.verdict == verdict
    assert words in f"{seen.evidence} {seen.cause}"


def test_certificates_in_places_of_the_hosts_own(ask, machine, certificates):
    files = {
        "/etc/libvirt/libvirtd.conf": 'cert_file = "/tls/mine.pem"\n',
        "/etc/libvirt/qemu.conf": 'migrate_tls_x509_cert_dir = "/tls/move"\n',
        "/tls/mine.pem": certificates["late"],
        "/tls/move/server-cert.pem": certificates["good"],
        "/tls/move/client-cert.pem": "no certificate",
    }
    found = ask("host.tls-expiry", machine(files, {"pgrep": (1, "", "")}))
    assert {one.about: one.verdict for one in found} == {
        "/tls/mine.pem": "fail",
        "/tls/move/client-cert.pem": "fail",
        "": "ok",
    }
    assert ask("host.tls-expiry", machine({}, {"pgrep": (1, "", "")}))[0].verdict == "n/a"


def test_a_certificate_of_tomorrow(ask, machine, certificates, monkeypatch):
    class Earlier(dt.datetime):
        @classmethod
        def now(cls, tz=None):
            return dt.datetime(2001, 1, 1, tzinfo=tz)

    monkeypatch.setattr("labvirt.hostprep.certificates.dt.datetime", Earlier)
    made = machine(
        {"/etc/pki/libvirt/servercert.pem": certificates["good"]}, {"pgrep": (1, "", "")}
    )
    (seen,) = ask("host.tls-expiry", made)
    assert seen.verdict == "fail"
    assert "not valid yet" in seen.cause
    assert "host.ntp" in seen.remedy


def test_a_certificate_of_an_authority_here_is_renewed(ask, machine, tmp_path):
    authority = Authority(tmp_path / "ca")
    authority.create()
    bundle = authority.server("kvm7", days=1e-9)
    conf = {"/etc/libvirt/libvirtd.conf": f'cert_file = "{bundle.cert}"\n'}
    here = machine(conf, {"pgrep": (1, "", "")})
    # The authority is on this machine, the rest of the machine is made.
    (here.root / str(bundle.folder.parent.parent).lstrip("/")).parent.mkdir(parents=True)
    (here.root / str(tmp_path).lstrip("/")).symlink_to(tmp_path)
    (seen,) = ask("host.tls-expiry", here)
    assert seen.verdict == "fail"
    seen.fix().apply()
    (seen,) = ask("host.tls-expiry", here)
    assert seen.verdict == "ok"
