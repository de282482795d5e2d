"""Operating systems as libosinfo's files describe them."""

from __future__ import annotations

from labvirt.install.oslist import known_oses
from labvirt.model.osinfo import USUAL, find_os, like, read_oses

OLD = b"""<libosinfo version="0.0.1"><os id="http://x/old/1">
<short-id>old1</short-id><short-id>older</short-id><name>Old 1</name><name xml:lang="ru">S 1</name>
<family>linux</family><release-date>2001-02-03</release-date>
<resources arch="all"><minimum><ram>268435456</ram><storage>1073741824</storage></minimum></resources>
<resources arch="x86_64"><minimum><ram>536870912</ram></minimum>
<recommended><n-cpus>2</n-cpus><storage>2147483648</storage></recommended></resources>
<resources arch="ppc64"><recommended><ram>9</ram></recommended></resources>
<devices><device id="http://pcisig.com/pci/1af4/1000"/><device id="http://pcisig.com/pci/1af4/1001"/>
</devices></os></libosinfo>"""
NEW = b"""<libosinfo><os id="http://x/old/2"><short-id>old2</short-id><name>Old 2</name>
<release-date>2010-01-01</release-date><derives-from id="http://x/old/1"/>
<devices><device id="http://pcisig.com/pci/1af4/1001" removed="true"/></devices></os></libosinfo>"""
BAD = [b"", b"<libosinfo", b"<other/>", b"<libosinfo><os/></libosinfo>", b"\x00\xff"]


def test_resources_of_the_architecture_and_devices_of_those_it_comes_from():
    new, old = read_oses([*BAD, OLD, NEW])
    assert (old.key, old.name, old.family, old.released) == ("old1", "Old 1", "linux", "2001-02-03")
    assert str(old.least_memory) == "512 MiB"
    assert str(old.memory) == "512 MiB", "nothing is recommended"
    assert (str(old.least_disk), str(old.disk), old.cpus) == ("1 GiB", "2 GiB", 2)
    assert (old.virtio_disk, old.virtio_net) == (True, True)
    assert (new.key, new.memory) == ("old2", None)
    assert (new.virtio_disk, new.virtio_net) == (False, True)


def test_circles_and_sizes_that_are_none_do_no_harm():
    circle = OLD.replace(b"<devices>", b'<clones id="http://x/old/1"/><devices>')
    circle = circle.replace(b"268435456", b"-3").replace(b"1073741824", b"9" * 30)
    [found] = read_oses([circle])
    assert found.least_disk is None
    assert found.virtio_net


def test_entities_are_not_read_from_elsewhere(tmp_path):
    secret = tmp_path / "s"
    secret.write_text("geheim")
    text = f"""<!DOCTYPE a [<!ENTITY e SYSTEM "file://{secret}">]>
    <libosinfo><os id="x"><short-id>a</short-id><name>A &e;</name></os></libosinfo>"""
    assert "geheim" not in repr(read_oses([text.encode()]))


def test_a_system_is_found_by_short_id_name_or_a_part_that_is_its_alone():
    assert find_os("debian12", USUAL).name == "Debian 12"
    assert find_os("  DEBIAN   12 ", USUAL).key == "debian12"
    assert find_os("windows xp", USUAL).key == "winxp"
    assert find_os("debian", USUAL) is None, "there are two"
    assert find_os("", USUAL) is None
    assert find_os("<script>", USUAL) is None


def test_systems_are_searched_by_words_in_any_order():
    assert [each.key for each in like("12 debian", USUAL)] == ["debian12"]
    assert {each.key for each in like("WIN server", USUAL)} == {"win2k8", "win2k3"}
    assert like("<b>", USUAL) == ()
    assert like("", USUAL, 3) == USUAL[:3]


def test_the_list_of_this_machine_has_the_systems_of_the_guide(tmp_path, monkeypatch):
    keys = {each.key for each in known_oses()}
    assert {"debian12", "rhel3", "rhel5.3", "winxp", "win2k3", "win2k8"} <= keys
    for name in ("SYSTEM", "LOCAL", "USER"):
        monkeypatch.setenv(f"OSINFO_{name}_DIR", str(tmp_path / "none"))
    assert known_oses() == USUAL
    (tmp_path / "os").mkdir()
    (tmp_path / "os" / "x.xml").write_bytes(OLD)
    monkeypatch.setenv("OSINFO_USER_DIR", str(tmp_path))
    assert "old1" in {each.key for each in known_oses()}
