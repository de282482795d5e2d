"""Finds a guest kernel in a tree and picks the modules that the guest needs from it."""

from __future__ import annotations

import gzip
import lzma
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labvirt.errors import LabError
from labvirt.install.command import run
from labvirt.install.elf import module_info

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from labvirt.install.tree import Tree

__all__ = ["LOADED", "REQUIRED", "WANTED", "Kernel", "Modules", "find_kernel", "pick_modules"]

#: Loaded at boot, in this order; a name that a kernel has built in or lacks is passed over.
LOADED = (
    "virtio_pci",
    "virtio_blk",
    "virtio_net",
    "virtio_console",
    "virtio_balloon",
    "virtio_rng",
    "button",
    "evdev",
    "af_packet",
)
#: Without these, as a module or built in, a kernel is of no use.
REQUIRED = ("virtio_pci", "virtio_blk", "virtio_net", "virtio_console", "virtio_balloon")
#: Put into the guest when the kernel has them, and loaded when such a device or a mount asks.
WANTED = (
    *LOADED,
    "virtio_scsi",
    "virtio_mem",
    "virtio_input",
    "ata_piix",
    "ahci",
    "sd_mod",
    "sr_mod",
    "nvme",
    "e1000",
    "e1000e",
    "8139cp",
    "isofs",
    "vfat",
    "nls_ascii",
    "nls_iso8859_1",
    "nls_cp437",
    "ext4",
    "virtiofs",
    "pvpanic_pci",
    "pvpanic_mmio",
    "i6300esb",
    "vmw_vsock_virtio_transport",
)
_SUFFIX = re.compile(r"\.ko(\.(gz|xz|zst))?$")


@dataclass(frozen=True, slots=True)
class Kernel:
    """A kernel image and its modules.

    Attributes:
        release: what ``uname -r`` will say.
        image: the bzImage.
        modules: the folder ``lib/modules/RELEASE``.
    """

    release: str
    image: Path
    modules: Path


@dataclass(frozen=True, slots=True)
class Modules:
    """What goes into the guest's ``/lib/modules/RELEASE``.

    Attributes:
        files: module name -> the module, unpacked.
        depends: content of ``modules.dep``.
        aliases: content of ``modules.alias``.
        loaded: names to load at boot, in order.
    """

    files: dict[str, bytes]
    depends: str
    aliases: str
    loaded: tuple[str, ...]


def find_kernel(tree: Tree) -> Kernel | None:
    """Return the newest kernel of the tree that can be read and has its modules, else None."""
    found: list[Kernel] = []
    for folder in tree.glob("lib/modules/*", "usr/lib/modules/*"):
        if not (folder / "modules.builtin").is_file():
            continue
        image = tree.find(f"/boot/vmlinuz-{folder.name}", f"/lib/modules/{folder.name}/vmlinuz")
        if image is not None and _readable(image):
            found.append(Kernel(folder.name, image, folder))
    return max(found, key=lambda kernel: _version(kernel.release), default=None)


def pick_modules(kernel: Kernel, wanted: Iterable[str] = WANTED) -> Modules:
    """Collect the wanted modules with all that they depend on.

    Raises:
        LabError: the kernel has no virtio drivers, or a module cannot be unpacked.
    """
    available = {
        _name(path): path for path in sorted(kernel.modules.rglob("*.ko*")) if _is_module(path)
    }
    built_in = {_name(line) for line in (kernel.modules / "modules.builtin").read_text().split()}
    lacking = [name for name in REQUIRED if name not in available and name not in built_in]
    if lacking:
        raise LabError(
            f"the kernel {kernel.release} ({kernel.image}) cannot run a tiny guest: "
            f"it has no {', '.join(lacking)}",
            hint="install a distribution kernel: linux-image-cloud-amd64 (Debian) or "
            "linux-image-virtual (Ubuntu)",
        )
    files: dict[str, bytes] = {}
    depends: dict[str, tuple[str, ...]] = {}
    aliases: dict[str, list[str]] = {}
    todo = [name for name in wanted if name in available]
    while todo:
        name = todo.pop()
        if name in files:
            continue
        files[name] = _unpacked(available[name])
        facts = module_info(available[name], files[name])
        listed = ",".join(facts.get("depends", [])).split(",")
        depends[name] = tuple(_name(item) for item in listed if _name(item) in available)
        aliases[name] = facts.get("alias", [])
        todo += depends[name]
    return Modules(
        files=dict(sorted(files.items())),
        depends="".join(_dep_line(name, depends) for name in sorted(files)),
        aliases="".join(f"alias {a} {name}\n" for name in sorted(files) for a in aliases[name]),
        loaded=tuple(name for name in LOADED if name in files),
    )


def _dep_line(name: str, depends: dict[str, tuple[str, ...]]) -> str:
    """Write a line of modules.dep: a module, then all below it, what it needs last at the end."""
    chain: list[str] = []

    def visit(module: str) -> None:
        for below in depends[module]:
            if below in chain:
                chain.remove(below)
            chain.append(below)
            visit(below)

    visit(name)
    return f"{name}.ko:" + "".join(f" {below}.ko" for below in chain) + "\n"


def _unpacked(path: Path) -> bytes:
    """Return the module as the guest's loader wants it: not compressed."""
    try:
        if path.suffix == ".zst":
            return run(["zstd", "-dcq", str(path)], doing=f"unpack {path.name}", timeout_s=30.0)
        data = path.read_bytes()
        if path.suffix == ".gz":
            return gzip.decompress(data)
        if path.suffix == ".xz":
            return lzma.decompress(data)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise LabError(f"cannot unpack the kernel module {path}: {error}") from error
    return data


def _is_module(path: Path) -> bool:
    return _SUFFIX.search(path.name) is not None


def _name(path: str | Path) -> str:
    """Return the name the kernel uses for a module: files and lists also write dashes."""
    return _SUFFIX.sub("", str(path).rpartition("/")[2]).replace("-", "_")


def _readable(image: Path) -> bool:
    try:
        with image.open("rb"):
            return True
    except OSError:
        return False


def _version(release: str) -> tuple[tuple[int, str], ...]:
    """Return a sort key by which 6.10 is newer than 6.9."""
    parts = re.findall(r"\d+|[^\d.-]+", release)
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in parts)
