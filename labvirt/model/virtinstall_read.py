"""A virt-install line as the data of a `DomainSpec`: the spelling of 2009 and today's (G2.1-01)."""

from __future__ import annotations

import posixpath
import re
import shlex
from typing import TYPE_CHECKING, Any, Final

from labvirt.errors import Problem, SpecError
from labvirt.model.spec import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_virt_install"]

#: Short and old names by today's.
_SAME: Final[Mapping[str, str]] = {
    "-n": "name",
    "-r": "memory",
    "--ram": "memory",
    "-u": "uuid",
    "-f": "file",
    "-s": "file-size",
    "-c": "cdrom",
    "-l": "location",
    "-w": "network",
    "-b": "bridge",
    "-m": "mac",
    "-v": "hvm",
    "-p": "paravirt",
    "-x": "extra-args",
}
_FLAGS: Final = frozenset(
    {
        *("vnc", "sdl", "nographics", "accelerate", "hvm", "paravirt", "import", "pxe", "livecd"),
        *("noautoconsole", "noreboot", "force", "nonsparse", "autostart", "transient", "dry-run"),
        *("print-xml", "debug", "quiet", "prompt", "destroy-on-exit", "nodisks", "nonetworks"),
    }
)
_DISK_WORDS: Final = (
    ("bus", "bus"),
    ("target", "target.dev"),
    ("cache", "cache"),
    ("cache", "driver.cache"),
    ("io", "driver.io"),
    ("discard", "driver.discard"),
    ("serial", "serial"),
    ("boot_order", "boot.order"),
)
#: Long options of 2009 that are written with one dash now and then (G3.4-01).
_LONG: Final = frozenset({*_SAME.values(), *_FLAGS, "ram", "vcpus", "disk", "graphics", "os-type"})
#: Options that say nothing about the domain, or what labvirt decides by itself.
_SILENT: Final = frozenset(
    {
        *("connect", "accelerate", "hvm", "import", "noautoconsole", "force", "debug", "quiet"),
        *("prompt", "wait", "check", "osinfo", "os-variant", "os-type", "console", "channel"),
        *("controller", "input", "xml", "features", "clock", "events", "memballoon", "rng"),
        *("nonsparse", "noreboot", "dry-run", "print-xml"),
    }
)


def read_virt_install(line: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the fields of a `DomainSpec`, and what the line says that they cannot.

    Args:
        line: the command line; line ends behind a backslash are joined. Nothing of it is run.

    Raises:
        SpecError: it is no line of virt-install, or a quote in it has no end.
    """
    try:
        words = shlex.split(line.replace("\\\n", " "), comments=False)
    except ValueError as error:
        raise _refused(line, f"cannot be read: {error}") from None
    while words and (words[0] in {"sudo", "#", "$"} or words[0].endswith("virt-install")):
        words.pop(0)
    if not words or not words[0].startswith("-"):
        raise _refused(line, "is no line of virt-install")
    reader = _Reader()
    while words:
        odd = words[0].partition("=")[0]
        if odd.lstrip("-") in _LONG and odd.startswith("-") and not odd.startswith("--"):
            reader.left.append(f"{odd} is read as -{odd}")
        name, value = _option(words)
        reader.take(name, value)
    return reader.data(), tuple(reader.left)


def _option(words: list[str]) -> tuple[str, str]:
    word = words.pop(0)
    name, eq, value = word.partition("=")
    short = _SAME.get(name, name.lstrip("-"))
    if not name.startswith("-"):
        return "", word
    if name.lstrip("-") in _LONG and not name.startswith("--"):
        # As the guide prints it in 3.4: one dash where two are meant.
        words.insert(0, f"-{word}")
        return _option(words)
    if len(name) > 2 and not name.startswith("--"):
        # -nweb1 is -n web1.
        return _SAME.get(name[:2], name), word[2:]
    if short in _FLAGS or eq:
        return short, value
    if words and not re.match(r"--?[A-Za-z]", words[0]):
        return short, words.pop(0)
    return short, ""


class _Reader:
    """What the options of a line say, one after another."""

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self.left: list[str] = []
        self.disks: list[dict[str, Any]] = []
        self.links: list[dict[str, Any]] = []
        self.files: list[str] = []
        self.sizes: list[str] = []
        self.macs: list[str] = []
        self.no_links = False

    def take(self, name: str, value: str) -> None:
        """Take one option."""
        is_word = name.replace("-", "").isalpha()
        run = getattr(self, f"_{name.replace('-', '_')}", None) if is_word else None
        if run is not None:
            run(value)
        elif name in {"name", "uuid", "arch", "machine", "description"}:
            self.fields[name] = value
        elif name not in _SILENT:
            self.left.append(f"--{name} {value}".strip() if name else value)

    def data(self) -> dict[str, Any]:
        """Return the fields."""
        for number, path in enumerate(self.files):
            size = self.sizes[number] if number < len(self.sizes) else ""
            self._disk(f"path={path}" + (f",size={size}" if size else ""))
        for number, mac in enumerate(self.macs):
            if number >= len(self.links):
                self.links.append({"kind": "default"})
            self.links[number]["mac"] = mac
        found = dict(self.fields)
        if self.disks:
            found["disks"] = self.disks
        elif "boot" in found:
            # Without disks virt-install writes hd all the same; a spec refuses it.
            found["boot"] = [word for word in found["boot"] if word != "hd"]
        if self.links or self.no_links:
            found["interfaces"] = self.links
        return found

    # -- options, by their names -------------------------------------------------------------------

    def _memory(self, value: str) -> None:
        first, parts = _parts(value, "memory")
        amount = parts.get("memory", first)
        most = parts.get("maxmemory", amount)
        self.fields["memory"] = f"{most} MiB"
        current = parts.get("currentMemory", amount if most != amount else None)
        if current is not None and current != most:
            self.fields["current_memory"] = f"{current} MiB"

    def _vcpus(self, value: str) -> None:
        first, parts = _parts(value, "vcpu")
        most = parts.get("maxvcpus", parts.get("vcpu", first))
        now = parts.get("vcpu.current", parts.get("vcpu", first) if "maxvcpus" in parts else most)
        self.fields["vcpus"] = now
        if now != most:
            self.fields["max_vcpus"] = most
        shape = {
            name: parts[word] for name in ("sockets", "cores", "threads") if (word := name) in parts
        }
        if shape:
            self.fields.setdefault("cpu", {})["topology"] = shape

    def _virt_type(self, value: str) -> None:
        if value in {"kvm", "qemu"}:
            self.fields["virt"] = value
        else:
            self.left.append(f"--virt-type {value}")

    def _cpu(self, value: str) -> None:
        first, parts = _parts(value, "")
        cpu = self.fields.setdefault("cpu", {})
        mode = parts.get("mode", first if first.startswith(("host-", "maximum")) else "")
        model = parts.get("model", "" if mode else first)
        if model and mode in {"", "custom"}:
            cpu |= {"mode": "custom", "model": model}
        elif mode:
            cpu["mode"] = mode

    def _boot(self, value: str) -> None:
        first, parts = _parts(value, "")
        words = [first, *(word for word, given in parts.items() if given == "")]
        if "uefi" in words or parts.get("firmware") == "efi":
            self.fields["firmware"] = "efi"
        found = [word for word in words if word in {"hd", "cdrom", "network", "fd"}]
        found += [parts[key] for key in sorted(parts) if re.fullmatch(r"boot\d+\.dev", key)]
        if found:
            self.fields["boot"] = found
        if "kernel" in parts:
            names = {"kernel": "kernel", "initrd": "initrd", "cmdline": "cmdline"}
            names |= {"kernel_args": "cmdline"}
            source = {names[key]: text for key, text in parts.items() if key in names and text}
            self.fields["source"] = {"kind": "kernel-boot", **source}

    def _metadata(self, value: str) -> None:
        _first, parts = _parts(value, "")
        for key in ("title", "description", "uuid", "name"):
            if key in parts:
                self.fields[key] = parts[key]

    def _file(self, value: str) -> None:
        self.files.append(value)

    def _file_size(self, value: str) -> None:
        self.sizes.append(value)

    def _nodisks(self, _value: str) -> None:
        self.disks.clear()

    def _disk(self, value: str) -> None:
        first, parts = _parts(value, "path")
        if first == "none" and len(parts) <= 1:
            return
        if parts.get("vol"):
            parts["source.pool"], _, parts["source.volume"] = parts["vol"].partition("/")
        device = parts.get("device", "disk")
        disk: dict[str, Any] = {"device": device} if device != "disk" else {}
        source = self._content(parts, device)
        if source is not None:
            disk["source"] = source
        for ours, theirs in _DISK_WORDS:
            if parts.get(theirs):
                disk[ours] = parts[theirs]
        self.disks.append(disk)

    def _content(self, parts: Mapping[str, str], device: str) -> dict[str, Any] | None:
        """Return what is in a disk."""
        path = parts.get("path", "")
        image = parts.get("driver.type", parts.get("format", ""))
        if parts.get("size") and device == "disk":
            source: dict[str, Any] = {"kind": "new-volume", "size": f"{parts['size']} GiB"}
            if path:
                source["name"] = posixpath.basename(path)
                self.left.append(f"folder of {path}: a new volume is made in a storage pool")
            if "pool" in parts:
                source["pool"] = parts["pool"]
            if image in {"raw", "qcow2"}:
                source["format"] = image
            return source
        if parts.get("source.volume"):
            given = {"format": image} if image else {}
            pool, name = parts["source.pool"], parts["source.volume"]
            return {"kind": "volume", "pool": pool, "name": name, **given}
        if path.startswith("/dev/"):
            return {"kind": "block", "path": path}
        if path:
            usual = "raw" if device != "disk" or path.endswith((".img", ".raw")) else "qcow2"
            return {"kind": "file", "path": path, "format": image or usual}
        return None

    def _cdrom(self, value: str) -> None:
        if value.startswith(("http:", "https:", "ftp:")):
            self.left.append(f"--cdrom {value}")
        else:
            self.fields["source"] = {"kind": "iso-install", "path": value}

    def _location(self, value: str) -> None:
        if value.startswith("/") and value.endswith(".iso"):
            self._cdrom(value)
        else:
            self.left.append(f"--location {value}")

    def _pxe(self, _value: str) -> None:
        self.fields["source"] = {"kind": "network-boot"}

    def _nonetworks(self, _value: str) -> None:
        self.no_links = True

    def _mac(self, value: str) -> None:
        self.macs.append(value)

    def _bridge(self, value: str) -> None:
        self.links.append({"kind": "bridge", "source": value})

    def _network(self, value: str) -> None:
        if value == "none":
            self.no_links = True
            return
        # network:default is the spelling of 2009, network=default that of today.
        text = re.sub(r"^(network|bridge|user):", r"\1=", value)
        first, parts = _parts(text, "type")
        kind = parts.get("type", first)
        link: dict[str, Any] = {}
        for word in ("network", "bridge"):
            if word in parts:
                link |= {"kind": word, "source": parts[word]}
        if not link:
            link["kind"] = {"": "default", "null": "none"}.get(kind, kind)
            if parts.get("source"):
                link["source"] = parts["source"]
        for ours, theirs in (
            *(("model", "model.type"), ("model", "model"), ("mac", "mac.address"), ("mac", "mac")),
            *(("filter", "filterref.filter"), ("mtu", "mtu.size"), ("boot_order", "boot.order")),
            ("mode", "source.mode"),
        ):
            if parts.get(theirs) and parts[theirs] != "RANDOM":
                link[ours] = parts[theirs]
        if parts.get("link.state") == "down":
            link["link_up"] = False
        self.links.append(link)

    def _vnc(self, _value: str) -> None:
        self.fields["graphics"] = {"kind": "vnc"}

    def _sdl(self, _value: str) -> None:
        self.left.append("--sdl")

    def _nographics(self, _value: str) -> None:
        self.fields.pop("graphics", None)

    def _graphics(self, value: str) -> None:
        first, parts = _parts(value, "type")
        kind = parts.get("type", first)
        if kind == "none":
            self.fields.pop("graphics", None)
        elif kind not in {"vnc", "spice"}:
            self.left.append(f"--graphics {kind}")
        else:
            graphics: dict[str, Any] = {"kind": kind}
            listen = parts.get("listens0.socket") or parts.get("listens0.address")
            listen = listen or parts.get("listen")
            if listen:
                graphics["listen"] = listen
            if parts.get("port", "-1").isdecimal():
                graphics["port"] = parts["port"]
            if parts.get("keymap"):
                graphics["keymap"] = parts["keymap"]
            if parts.get("password"):
                self.left.append("the password of the graphical console")
            self.fields["graphics"] = graphics

    def _video(self, value: str) -> None:
        first, parts = _parts(value, "model.type")
        self.fields["video"] = {"model": parts.get("model.type", parts.get("model", first))}

    def _watchdog(self, value: str) -> None:
        first, parts = _parts(value, "model")
        self.fields["watchdog"] = {
            "model": first or "i6300esb",
            "action": parts.get("action", "reset"),
        }

    def _serial(self, value: str) -> None:
        first, parts = _parts(value, "type")
        serial: dict[str, Any] = {"kind": first or "pty"}
        if parts.get("log.file"):
            serial["log_path"] = parts["log.file"]
        if first in {"file", "unix"} and parts.get("source.path", parts.get("path")):
            serial["path"] = parts.get("source.path", parts.get("path"))
        if first not in {"", "pty", "null", "file", "unix"}:
            self.left.append(f"--serial {value}")
        elif first != "none":
            self.fields["serial"] = serial


def _parts(value: str, main: str) -> tuple[str, dict[str, str]]:
    """Return the first word of ``first,key=value`` and the rest; the first may be the main key."""
    lexer = shlex.shlex(value, posix=True)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = ",", True, ""
    try:
        words = list(lexer)
    except ValueError:
        words = value.split(",")
    first = ""
    parts: dict[str, str] = {}
    for number, word in enumerate(words):
        key, eq, text = word.partition("=")
        if number == 0 and not eq:
            first = word
            if main:
                parts.setdefault(main, word)
        else:
            parts[key] = text
    return first, parts


def _refused(line: str, why: str) -> SpecError:
    problem = Problem("line", shorten(line), why, "virt-install --name web1 --memory 512 ...")
    return SpecError("a virt-install line was expected", (problem,))
