"""The guest's kernel and its modules."""

from __future__ import annotations

import gzip
import lzma
import shutil
import subprocess

import pytest

from labvirt.errors import LabError
from labvirt.install.kernel import REQUIRED, find_kernel, pick_modules
from labvirt.install.tree import Tree


@pytest.fixture
def kernel(tree):
    return find_kernel(tree)


def put(root, release, *, usr=False):
    modules = root / ("usr/lib/modules" if usr else "lib/modules") / release
    modules.mkdir(parents=True)
    (modules / "modules.builtin").write_text("")
    (root / "boot").mkdir(exist_ok=True)
    (root / "boot" / f"vmlinuz-{release}").write_text("")


def test_the_newest_kernel_is_taken(scratch):
    for release in ("6.9.0-1-amd64", "6.10.0-1-amd64", "6.10.0-rc1-amd64"):
        put(scratch, release)
    assert find_kernel(Tree(scratch)).release == "6.10.0-1-amd64"


def test_modules_may_be_under_usr(scratch):
    put(scratch, "6.14.0-5-generic", usr=True)
    assert find_kernel(Tree(scratch)).release == "6.14.0-5-generic"


def test_a_kernel_without_modules_or_image_is_passed_over(scratch):
    put(scratch, "6.1.0")
    (scratch / "boot" / "vmlinuz-6.1.0").unlink()
    (scratch / "boot" / "vmlinuz-7.0.0").write_text("")
    assert find_kernel(Tree(scratch)) is None


def test_what_a_module_needs_comes_with_it_and_stands_after_it(kernel):
    modules = pick_modules(kernel)
    chains = {}
    for line in modules.depends.splitlines():
        name, needed = line.split(":")
        chains[name] = needed.split()
    assert set(chains) == {f"{name}.ko" for name in modules.files}
    for chain in chains.values():
        assert set(chain) <= set(chains)
        # modprobe loads from the end: what a module needs must stand behind it.
        for place, module in enumerate(chain):
            assert all(below in chain[place + 1 :] for below in chains[module])


def test_the_drivers_of_a_virtual_machine_are_there_or_built_in(kernel):
    modules = pick_modules(kernel)
    built_in = (kernel.modules / "modules.builtin").read_text()
    for name in REQUIRED:
        assert name in modules.files or f"/{name}.ko" in built_in
    assert list(modules.loaded) == [n for n in modules.loaded if n in modules.files]
    assert "alias virtio:d00000001v* virtio_net\n" in modules.aliases


@pytest.mark.parametrize("packing", ["gz", "xz", "zst"])
def test_packed_modules_are_unpacked(kernel, scratch, packing):
    plain = pick_modules(kernel)
    folder = scratch / "lib" / "modules" / kernel.release
    shutil.copytree(kernel.modules, folder)
    for module in list(folder.rglob("*.ko")):
        data = module.read_bytes()
        if module.stem.replace("-", "_") not in plain.files:
            module.unlink()
            continue
        if packing == "zst":
            subprocess.run(["zstd", "-q", "--rm", module], check=True, timeout=20)
            continue
        packed = lzma.compress(data, preset=0) if packing == "xz" else gzip.compress(data, 1)
        module.with_name(f"{module.name}.{packing}").write_bytes(packed)
        module.unlink()
    put_image = scratch / "boot"
    put_image.mkdir()
    shutil.copy(kernel.image, put_image)
    assert pick_modules(find_kernel(Tree(scratch))) == plain


def test_a_damaged_module_is_named(kernel, scratch):
    put(scratch, "6.1.0")
    folder = scratch / "lib" / "modules" / "6.1.0"
    (folder / "modules.builtin").write_text("".join(f"kernel/{n}.ko\n" for n in REQUIRED))
    (folder / "isofs.ko.xz").write_bytes(b"not packed")
    with pytest.raises(LabError, match=r"isofs\.ko\.xz"):
        pick_modules(find_kernel(Tree(scratch)))
    (folder / "isofs.ko.xz").unlink()
    (folder / "isofs.ko").write_bytes(b"\x7fELF")
    with pytest.raises(LabError, match=r"isofs\.ko"):
        pick_modules(find_kernel(Tree(scratch)))


def test_a_kernel_without_virtio_is_refused_with_a_better_one(scratch):
    put(scratch, "6.18.0-host")
    with pytest.raises(LabError, match=r"6\.18\.0-host.*has no virtio_pci, virtio_blk") as caught:
        pick_modules(find_kernel(Tree(scratch)))
    assert "linux-image-cloud-amd64" in caught.value.hint


def test_dashes_and_underscores_are_one(scratch):
    put(scratch, "6.1.0")
    names = "".join(f"kernel/{name.replace('_', '-')}.ko\n" for name in REQUIRED)
    (scratch / "lib" / "modules" / "6.1.0" / "modules.builtin").write_text(names)
    assert pick_modules(find_kernel(Tree(scratch))).files == {}
