"""What must change inside a clone, on trees of files as real systems have them (17.12, 17.13)."""

from __future__ import annotations

import posixpath

from labvirt.model.identity import Identity, changes, steps

OLD, NEW = "52:54:00:AA:BB:01", "52:54:00:00:00:02"


class Files(dict):
    """A tree in memory."""

    def read(self, path):
        return self.get(path)

    def names(self, folder):
        return tuple(posixpath.basename(p) for p in self if posixpath.dirname(p) == folder)


def renewed(files, **wish):
    tree = Files({path: text.encode() for path, text in files.items()})
    done, left = changes(tree, Identity(**wish))
    for one in done:
        if one.data is None:
            del tree[one.path]
        else:
            tree[one.path] = one.data
    # Done once, there is nothing more to do but what the system made anew.
    assert not [c for c in changes(tree, Identity(**wish))[0] if c.why in ("hostname", "mac")]
    return {path: data.decode() for path, data in tree.items()}, left


def test_the_guides_red_hat_guest():
    files, left = renewed(
        {
            "/etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=xen1.example.org\nGATEWAY=10.0.0.1\n",
            "/etc/sysconfig/network-scripts/ifcfg-eth0": (
                f"DEVICE=eth0\nHWADDR={OLD}\nUUID=11-22\nIPADDR=10.0.0.5\nONBOOT=yes\n"
            ),
            "/etc/sysconfig/network-scripts/ifcfg-lo": "DEVICE=lo\nIPADDR=127.0.0.1\n",
            "/etc/hosts": "127.0.0.1 localhost\n10.0.0.5 xen1.example.org xen1\n10.0.0.9 xen10\n",
            "/etc/udev/rules.d/70-persistent-net.rules": "SUBSYSTEM==net\n",
            "/var/lib/dhclient/dhclient-eth0.leases": "lease {}\n",
        },
        hostname="xen2.example.org",
        macs={OLD.lower(): NEW},
        addresses={"10.0.0.5": "10.0.0.6"},
    )
    assert "HOSTNAME=xen2.example.org\nGATEWAY" in files["/etc/sysconfig/network"]
    card = files["/etc/sysconfig/network-scripts/ifcfg-eth0"]
    assert card == f"DEVICE=eth0\nHWADDR={NEW}\nIPADDR=10.0.0.6\nONBOOT=yes\n"
    assert "xen2.example.org xen2\n10.0.0.9 xen10" in files["/etc/hosts"]
    assert "/etc/udev/rules.d/70-persistent-net.rules" not in files
    assert "/var/lib/dhclient/dhclient-eth0.leases" not in files
    assert left == ()


def test_a_debian_guest():
    files, left = renewed(
        {
            "/etc/hostname": "web1\n",
            "/etc/hosts": "127.0.0.1 localhost\n127.0.1.1 web1\n",
            "/etc/machine-id": "0123\n",
            "/var/lib/dbus/machine-id": "0123\n",
            "/etc/ssh/ssh_host_ed25519_key": "k",
            "/etc/ssh/ssh_host_ed25519_key.pub": "p",
            "/etc/ssh/sshd_config": "c",
            "/etc/network/interfaces": "iface eth0 inet static\n address 10.0.0.5\n",
            "/etc/netplan/50.yaml": f"match: {{macaddress: '{OLD.lower()}'}}\n",
            "/var/lib/dhcp/dhclient.eth0.leases": "l",
            "/var/lib/systemd/random-seed": "s",
        },
        hostname="web2",
        macs={OLD.lower(): NEW},
    )
    assert files["/etc/hostname"] == "web2\n"
    assert files["/etc/hosts"].endswith("127.0.1.1 web2\n")
    assert files["/etc/machine-id"] == ""
    assert NEW in files["/etc/netplan/50.yaml"]
    gone = {
        "/var/lib/dbus/machine-id",
        "/etc/ssh/ssh_host_ed25519_key",
        "/var/lib/systemd/random-seed",
    }
    assert gone.isdisjoint(files)
    assert "/etc/ssh/sshd_config" in files
    assert any("/etc/network/interfaces gives a static address" in one for one in left)


def test_keys_and_machine_id_stay_when_they_shall():
    kept = {"/etc/machine-id": "0123\n", "/etc/dropbear/dropbear_rsa_host_key": "k"}
    files, _ = renewed(kept, ssh_keys=False, machine_id=False)
    assert files == kept


def test_every_step_says_what_why_and_how():
    for step in steps():
        assert step.what
        assert step.why
        assert step.how
    assert {"hostname", "mac", "udev", "machine-id", "ssh", "leases", "uuids"} <= {
        step.id for step in steps()
    }
