"""A certificate that has run out, where the host's QEMU finds it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from labvirt.lab.faults.registry import Break, fault

if TYPE_CHECKING:
    from labvirt.lab.faults.scene import Scene

__all__: list[str] = []


@fault(
    "certificate-expired",
    check="host.tls-expiry",
    of="host",
    guide="G13.2-02",
)
class _CertificateExpired(Break):
    def look(self, scene: Scene) -> dict[str, Any]:
        within = "config/libvirt" if scene.lab.backend == "session" else "etc"
        conf = scene.folder / within / "qemu.conf"
        if "migrate_tls_x509_cert_dir" in conf.read_text(encoding="utf-8"):
            raise scene.refuse(f"{conf} names a folder of certificates already")
        folder = scene.folder / "pki"
        return {
            "conf": str(conf),
            "folder": str(folder),
            "line": f'migrate_tls_x509_cert_dir = "{folder}"\n',
        }

    def make(self, scene: Scene) -> None:
        folder, conf = Path(scene.memo["folder"]), Path(scene.memo["conf"])
        folder.mkdir(mode=0o755, exist_ok=True)
        cert, key = _old()
        for name, text in (("ca-cert", cert), ("server-cert", cert), ("client-cert", cert)):
            (folder / f"{name}.pem").write_bytes(text)
        for name in ("server-key", "client-key"):
            file = folder / f"{name}.pem"
            file.touch(mode=0o600)
            file.write_bytes(key)
        conf.write_text(conf.read_text(encoding="utf-8") + scene.memo["line"], encoding="utf-8")
        _restart(scene)

    def mend(self, scene: Scene) -> str:
        folder, conf = Path(scene.memo["folder"]), Path(scene.memo["conf"])
        text = conf.read_text(encoding="utf-8")
        if scene.memo["line"] not in text and not folder.exists():
            return ""
        conf.write_text(text.replace(scene.memo["line"], ""), encoding="utf-8")
        for file in folder.glob("*.pem"):
            file.unlink()
        if folder.exists():
            folder.rmdir()
        _restart(scene)
        return "the old certificates are gone, and the daemon has read its settings again"


def _restart(scene: Scene) -> None:
    scene.lab.daemon(scene.name, "stop")
    scene.lab.daemon(scene.name, "start")


def _old() -> tuple[bytes, bytes]:
    """Return a certificate that ended yesterday, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=400))
        .not_valid_after(now - dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    return cert.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, form, plain
    )
