"""Fetches packages of this distribution as an ordinary user, and unpacks them into a folder.

apt runs with a private state: nothing of the machine's own package system is changed, no root is
needed, and signatures and checksums are verified by apt as ever. The machine's package lists are
used when they can be read and still fit the mirror, else private ones are fetched.
"""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labvirt.errors import LabError
from labvirt.install.command import require, run
from labvirt.install.store import matches, read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from labvirt.install.store import Store

__all__ = ["KERNELS", "Package", "fetch", "known", "parse_depends", "unpack", "wanted"]

#: The first of these that the distribution has is the guest's kernel.
KERNELS = (
    "linux-image-cloud-amd64",
    "linux-image-virtual",
    "linux-image-amd64",
    "linux-image-generic",
)
# What a package depends on is fetched too when its name begins so; the rest (init systems, tools
# for a kernel's installation) is of no use in the guest.
_FOLLOWED = re.compile(r"(lib|zlib1g|linux-(image|modules|binary)-(?!extra))")
_URI = re.compile(r"'[^']*' (?P<file>\S+) (?P<size>\d+) SHA256:(?P<sha256>[0-9a-f]{64})$")
_NAME = re.compile(r"[a-z0-9][a-z0-9.+-]*$")
_HOOK = re.compile(
    r"(?i)(APT::Update::P|DPkg::(Pre|Post)-|Acquire::Languages::|Dir::Etc::(main|parts))"
)


@dataclass(frozen=True, slots=True)
class Package:
    """A package file in the cache.

    Attributes:
        file: its name there, which holds name, version and architecture.
        size: its length in bytes.
        sha256: its checksum as the signed package list has it.
    """

    file: str
    size: int
    sha256: str


def wanted(*, ssh: bool) -> tuple[tuple[str, ...], ...]:
    """Return what a guest is made of; of each inner tuple one package will do."""
    names: tuple[tuple[str, ...], ...] = (KERNELS, ("busybox-static",), ("qemu-guest-agent",))
    return (*names, ("dropbear-bin",)) if ssh else names


def known(store: Store, names: Sequence[Sequence[str]]) -> tuple[Package, ...] | None:
    """Return the set of packages that was fetched before for these names, or None.

    Whether the files are still whole is found out by `fetch`.
    """
    listed = read_json(_set_file(store, names)).get("packages", [])
    try:
        found = tuple(Package(str(p["file"]), int(p["size"]), str(p["sha256"])) for p in listed)
    except (KeyError, TypeError, ValueError):
        return None
    return found or None


def fetch(
    store: Store,
    names: Sequence[Sequence[str]],
    *,
    progress: Callable[[str], None],
    refresh: bool = False,
) -> tuple[Package, ...]:
    """Return the packages for these names, downloading what the cache lacks. Hold the lock.

    Args:
        store: the cache.
        names: what is wanted; of each inner sequence the first name that the distribution knows.
        progress: told what is being done.
        refresh: ask the distribution for newer packages although the cache has a whole set.

    Raises:
        LabError: there is no apt, the mirror cannot be reached, or it lacks a package.
    """
    packages = None if refresh else known(store, names)
    if packages is not None and not _missing(store, packages):
        return packages
    for tool in ("apt-get", "apt-cache", "apt-config", "dpkg-deb"):
        require(tool)
    with store.workshop() as folder:
        try:
            return _fetch_with(store, names, folder, progress, private_lists=False)
        except LabError as error:
            # No lists on this machine, or they name files that the mirror no longer has.
            stale = error
        progress("reading the distribution's package lists")
        refused = _update(folder)
        try:
            return _fetch_with(store, names, folder, progress, private_lists=True)
        except LabError as error:
            then = refused or error.what
            raise LabError(
                f"{stale.what}; then, with fresh package lists: {then}", hint=error.hint
            ) from error


def _update(folder: Path) -> str:
    """Fetch private package lists; return what went wrong, which need not matter.

    A source that nothing is wanted from may be unreachable.
    """
    try:
        run(
            ["apt-get", "-qq", "update"],
            doing="read the distribution's package lists",
            timeout_s=180.0,
            env=_configure(folder, private_lists=True),
        )
    except LabError as error:
        return error.what
    return ""


def unpack(store: Store, packages: Iterable[Package], root: Path) -> None:
    """Unpack packages into a folder; what belongs to root there belongs to this user.

    Raises:
        LabError: a package is damaged, or the disk is full.
    """
    root.mkdir(parents=True, exist_ok=True)
    for package in packages:
        file = store.packages / package.file
        if not matches(file, package.size, package.sha256):
            raise LabError(f"the package {file} in the cache is damaged or missing")
        run(
            ["dpkg-deb", "-x", str(file), str(root)],
            doing=f"unpack {package.file}",
            timeout_s=120.0,
        )


def _fetch_with(
    store: Store,
    names: Sequence[Sequence[str]],
    folder: Path,
    progress: Callable[[str], None],
    *,
    private_lists: bool,
) -> tuple[Package, ...]:
    config = _configure(folder, private_lists=private_lists)
    chosen = _choose(names, config)
    command = ["apt-get", "-qq", "--print-uris", "download", *chosen]
    listing = run(command, doing="find the packages' files", timeout_s=60.0, env=config)
    by_name = _parse_uris(listing.decode(), chosen)
    packages = tuple(by_name.values())
    missing = _missing(store, packages)
    store.packages.mkdir(parents=True, exist_ok=True)
    if missing:
        size = sum(package.size for package in missing) / 1e6
        progress(f"downloading {len(missing)} packages ({size:.0f} MB)")
        needed = {name: package for name, package in by_name.items() if package in missing}
        _download(store, needed, folder, config)
    facts = [{"file": p.file, "size": p.size, "sha256": p.sha256} for p in packages]
    write_json(_set_file(store, names), {"names": [list(n) for n in names], "packages": facts})
    _prune(store)
    return packages


def _download(
    store: Store, needed: Mapping[str, Package], folder: Path, config: dict[str, str]
) -> None:
    """Download packages (by name) into the cache; a file appears there whole or not at all."""
    debs = folder / "debs"
    debs.mkdir(exist_ok=True)
    run(
        ["apt-get", "-qq", "download", *needed],
        doing="download the guest's packages",
        timeout_s=900.0,
        folder=debs,
        env=config,
    )
    for package in needed.values():
        file = debs / package.file
        if not matches(file, package.size, package.sha256):
            raise LabError(f"the downloaded package {package.file} is not what the lists promise")
        file.chmod(0o644)
        file.replace(store.packages / package.file)


def _choose(names: Sequence[Sequence[str]], config: dict[str, str]) -> list[str]:
    """Pick the packages to download: one of each kind, and what they need in the guest."""
    asked = [name for kind in names for name in kind]
    listing = run(
        ["apt-cache", "depends", "--recurse", "--important", *asked],
        doing="find the guest's packages in the package lists",
        timeout_s=60.0,
        env=config,
    )
    graph = parse_depends(listing.decode())
    todo: list[str] = []
    for kind in names:
        first = next((name for name in kind if name in graph), None)
        if first is None:
            raise LabError(
                f"this distribution's package lists have no {' or '.join(kind)}",
                hint="add the distribution's main (Ubuntu: also universe) archive to apt's sources",
            )
        todo.append(first)
    chosen: list[str] = []
    while todo:
        name = todo.pop(0)
        if name not in chosen:
            chosen.append(name)
            todo += [need for need in graph.get(name, ()) if _FOLLOWED.match(need)]
    return sorted(chosen)


def parse_depends(listing: str) -> dict[str, tuple[str, ...]]:
    """Read the output of ``apt-cache depends``: package -> the packages it depends on.

    Of alternatives the first counts; a virtual package stands for its first provider.
    """
    graph: dict[str, list[str]] = {}
    needs: list[str] = []
    alternative = virtual = False
    for line in listing.splitlines():
        kind, colon, name = line.strip().lstrip("|").partition(": ")
        if not line.startswith(" "):
            needs = [] if line.startswith("<") else graph.setdefault(line.strip(), [])
            alternative = virtual = False
        elif colon:
            skip, alternative = alternative, line.startswith(" |")
            virtual = name.startswith("<") and not skip
            if kind.endswith("Depends") and not skip and _NAME.match(name):
                needs.append(name)
        elif virtual and _NAME.match(line.strip()):
            needs.append(line.strip())
            virtual = False
    return {name: tuple(found) for name, found in graph.items()}


def _parse_uris(listing: str, chosen: Sequence[str]) -> dict[str, Package]:
    by_name: dict[str, Package] = {}
    for line in listing.splitlines():
        found = _URI.match(line.strip())
        if found:
            package = Package(found["file"], int(found["size"]), found["sha256"])
            by_name[package.file.partition("_")[0]] = package
    lacking = [name for name in chosen if name not in by_name]
    if lacking:
        raise LabError(f"the package lists give no file with a SHA-256 for {', '.join(lacking)}")
    return {name: by_name[name] for name in chosen}


def _configure(folder: Path, *, private_lists: bool) -> dict[str, str]:
    """Write apt's configuration for a private state; return the variables that select it.

    The machine's settings (proxies, mirrors' credentials, ...) are kept, its hooks are not: as
    root they would clean or fill the machine's own caches.
    """
    dump = run(["apt-config", "dump"], doing="read apt's settings", timeout_s=20.0).decode()
    kept = [line for line in dump.splitlines() if not _HOOK.match(line)]
    state = folder / "state"
    archives = folder / "archives"
    for made in (state / "lists" / "partial", archives / "archives" / "partial"):
        made.mkdir(parents=True, exist_ok=True)
    lists = state / "lists" if private_lists else "/var/lib/apt/lists"
    ours = {
        "Dir::State": state,
        "Dir::State::lists": lists,
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": archives,
        "Dir::Cache::pkgcache": f"pkgcache-{private_lists:d}.bin",
        "Dir::Etc::main": "/dev/null",
        "Dir::Etc::parts": "/dev/null",
        "Debug::NoLocking": "1",
        "APT::Sandbox::User": "",
        "APT::Update::Error-Mode": "any",
        "Acquire::Languages": "none",
        "Acquire::Retries": "1",
        "Acquire::http::Timeout": "20",
        "Acquire::https::Timeout": "20",
    }
    config = folder / f"apt-{private_lists:d}.conf"
    config.write_text("\n".join([*kept, *(f'{key} "{value}";' for key, value in ours.items()), ""]))
    config.chmod(0o600)
    return {"APT_CONFIG": str(config)}


def _missing(store: Store, packages: Iterable[Package]) -> list[Package]:
    return [p for p in packages if not matches(store.packages / p.file, p.size, p.sha256)]


def _set_file(store: Store, names: Sequence[Sequence[str]]) -> Path:
    """Return where a set is written down: another distribution release has another set."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    system = f"{release.get('ID', 'linux')}-{release.get('VERSION_ID', 'rolling')}"
    kind = "-".join(kind[0] for kind in names)
    return store.packages / "sets" / f"{re.sub(r'[^A-Za-z0-9.+-]', '_', f'{system}-{kind}')}.json"


def _prune(store: Store) -> None:
    """Remove package files that no set names any more."""
    named = {
        str(facts.get("file"))
        for path in (store.packages / "sets").glob("*.json")
        for facts in read_json(path).get("packages", [])
        if isinstance(facts, dict)
    }
    for file in store.packages.glob("*.deb"):
        if file.name not in named:
            file.unlink(missing_ok=True)
