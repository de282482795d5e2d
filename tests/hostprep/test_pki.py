"""Certificates as files: modes, nothing overwritten, nothing secret told, undone after a kill."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import stat
import subprocess
import sys

import pytest

from labvirt.errors import ConfirmationError, ConflictError, NotFoundError, PlanError, SpecError
from labvirt.hostprep import certificates, file_actions, pki, pki_places
from labvirt.plan import Journal


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    made = pki.Authority(tmp_path_factory.mktemp("authority") / "ca")
    made.create("test CA")
    return made


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_an_authority_is_made_once_with_exact_modes(tmp_path):
    old = os.umask(0)
    try:
        made = pki.Authority(tmp_path / "ca")
        plan = made.create.plan("my CA", days=10)
        assert not made.folder.exists()
        found = plan.apply()
    finally:
        os.umask(old)
    assert found.subject == "CN=my CA"
    assert found.uses == ("ca",)
    assert mode(made.folder) == 0o700
    assert mode(made.folder / "cakey.pem") == 0o600
    assert 9.9 < found.days_left < 10
    key = (made.folder / "cakey.pem").read_bytes()
    with pytest.raises(ConflictError, match="never overwritten"):
        made.create("another")
    assert (made.folder / "cakey.pem").read_bytes() == key


def test_no_private_key_in_text_journal_or_record(authority, tmp_path):
    plan = authority.server.plan("quiet.example.com")
    bundle = plan.apply()
    installed = pki_places.install(bundle, "server", root=tmp_path)
    installed.apply()
    secret = bundle.key.read_text().splitlines()[1]
    told = [str(plan), repr(plan), plan._repr_html_(), plan.virsh, str(installed), repr(bundle)]
    told += [json.dumps(entry) for entry in Journal().entries()]
    told += [json.dumps(action.to_record()) for action in (*plan.actions, *installed.actions)]
    assert not any(secret in text or "PRIVATE" in text for text in told)
    assert mode(tmp_path / "etc/pki/libvirt/private/serverkey.pem") == 0o600
    assert mode(tmp_path / "etc/pki/libvirt/private") == 0o700


@pytest.mark.parametrize("place", pki_places.PLACES)
def test_every_place_is_filled_and_found_in_order(authority, tmp_path, place):
    """G13.2-02 to -04, E-68."""
    role = pki_places.PLACES[place].role
    bundle = next((each for each in authority.bundles if each.folder.name == f"{role}-all"), None)
    bundle = bundle or (authority.server("all") if role == "server" else authority.client("all"))
    before = pki_places.check(place, root=tmp_path)
    assert {problem.why for problem in before} == {"is not there"}
    paths = pki_places.install(bundle, place, root=tmp_path).apply()
    assert pki_places.check(place, root=tmp_path) == ()
    assert pki_places.install(bundle, place, root=tmp_path).actions == ()
    assert mode(paths["key"]) == 0o600
    paths["key"].chmod(0o640)
    (found,) = pki_places.check(place, root=tmp_path)
    assert "0600" in found.hint
    with pytest.raises(ConfirmationError):
        pki_places.uninstall(place, root=tmp_path).apply()
    pki_places.uninstall(place, root=tmp_path).apply(confirm=True)
    assert not paths["key"].exists()


def test_the_names_are_those_that_libvirt_and_qemu_look_for():
    names = {
        name: tuple(map(str, pki_places.place(name, "/r").values())) for name in pki_places.PLACES
    }
    assert names["server"] == (
        "/r/etc/pki/CA/cacert.pem", "/r/etc/pki/libvirt/servercert.pem",
        "/r/etc/pki/libvirt/private/serverkey.pem", "/r/etc/pki/CA/cacrl.pem",
    )  # fmt: skip
    assert names["user"] == tuple(
        f"/r/.pki/libvirt/{name}.pem" for name in ("cacert", "clientcert", "clientkey")
    )
    assert names["vnc-server"][:3] == tuple(
        f"/r/etc/pki/libvirt-vnc/{name}.pem" for name in ("ca-cert", "server-cert", "server-key")
    )
    assert names["vnc-user"] == tuple(
        f"/r/.pki/libvirt-vnc/{name}.pem" for name in ("ca-cert", "clientcert", "clientkey")
    )


def test_another_private_key_is_never_overwritten(authority, tmp_path):
    first, second = authority.client("first"), authority.client("second")
    pki_places.install(first, "user", root=tmp_path).apply()
    key = tmp_path / ".pki/libvirt/clientkey.pem"
    before = key.read_bytes()
    with pytest.raises((ConflictError, PlanError), match="never overwritten"):
        pki_places.install(second, "user", root=tmp_path).apply()
    assert key.read_bytes() == before
    assert pki_places.check("user", root=tmp_path) == ()


def test_renewed_and_revoked(authority):
    """G13.2-01."""
    bundle = authority.server("kvm7.example.com", "10.0.0.7", days=10)
    old, key = bundle.certificate, bundle.key.read_bytes()
    authority.renew(bundle, days=20)
    new = bundle.certificate
    assert new.names == old.names == ("kvm7.example.com", "10.0.0.7")
    assert new.serial != old.serial
    assert new.days_left > 19
    assert bundle.key.read_bytes() == key
    authority.revoke(bundle)
    assert set(authority.revoked) == {new.serial}
    assert certificates.read_crl(bundle.crl.read_bytes()) == authority.revoked
    assert authority.revoke.plan(bundle).actions == ()


def test_what_is_wrong_with_a_certificate_is_said(authority, tmp_path):
    bundle = authority.server("kvm8.example.com", "*.lab.example.com", "2001:db8::1")
    found = bundle.certificate
    assert found.fits("KVM8.example.com.")
    assert found.fits("a.lab.example.com")
    assert found.fits("[2001:db8::1]")
    assert not found.fits("a.b.lab.example.com")
    assert "kvm9" in found.problems("server", host="kvm9")[0].why
    assert "client" in found.problems("client")[0].why
    other = pki.Authority(tmp_path / "other")
    other.create("another CA")
    assert "not signed" in found.problems("server", authority=other.certificate)[0].why
    past = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    signed = certificates.sign(
        "server", "late", bundle.key, begins=past - dt.timedelta(days=1), ends=past,
        authority=(authority.cert, authority.folder / "cakey.pem"),
    )  # fmt: skip
    assert certificates.read_certificate(signed).problems("server")[0].why == "has expired"
    with pytest.raises(SpecError, match="not signed by"):
        other.revoke(bundle)


def test_what_cannot_be_right_is_refused(authority, tmp_path):
    for call in (
        lambda: authority.server("kvm7 example"),
        lambda: authority.server("../up"),
        lambda: authority.client("a/b"),
        lambda: authority.client("bob", days=0),
        lambda: pki_places.place("nowhere"),
        lambda: pki_places.place("pkipath"),
        lambda: pki_places.install(authority.client("role"), "server", root=tmp_path),
        lambda: certificates.read_certificate(b"no"),
    ):
        with pytest.raises(SpecError):
            call()
    with pytest.raises(NotFoundError):
        pki.Authority(tmp_path / "none").server("kvm7")


def test_a_link_is_not_followed(authority, tmp_path):
    target = tmp_path / "precious"
    target.write_text("mine")
    (tmp_path / ".pki/libvirt").mkdir(parents=True)
    (tmp_path / ".pki/libvirt/cacert.pem").symlink_to(target)
    with pytest.raises(ConflictError, match="link"):
        pki_places.install(authority.client("linked"), "user", root=tmp_path).apply()
    assert target.read_text() == "mine"


def test_what_a_killed_process_has_made_is_taken_back(tmp_path):
    home = tmp_path / "home"
    code = (
        "import os\n"
        "from labvirt.hostprep import pki, certificates\n"
        "certificates.sign_crl = lambda *a, **k: os._exit(9)\n"
        f"pki.Authority({str(tmp_path / 'ca')!r}).create('dies')\n"
    )
    environment = os.environ | {"LABVIRT_HOME": str(home)}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, check=False, timeout=60)
    assert killed.returncode == 9
    assert (tmp_path / "ca/cakey.pem").exists()
    recovered = Journal(home / "journal").recover(pki.preparing.HERE, file_actions.ACTIONS)
    assert len(recovered) == 1
    assert not (tmp_path / "ca").exists()
    assert not re.search("remains", str(recovered[0]))
