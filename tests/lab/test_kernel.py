"""What is asked of the kernel, asked for real in processes that may be spoilt."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from labvirt.lab import kernel


def in_process(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"from labvirt.lab import kernel\nimport os\n{code}"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.skipif(
    platform.machine() not in {"x86_64", "aarch64"},
    reason="no system call numbers for this machine",
)
def test_changes_of_owner_and_user_succeed_without_effect(tmp_path):
    (tmp_path / "f").touch()
    done = in_process(
        f"path = {str(tmp_path / 'f')!r}\n"
        "before = os.stat(path).st_uid, os.getresuid(), os.getresgid(), os.getgroups()\n"
        "kernel.feign_ownership()\n"
        "os.chown(path, 4711, 4711)\n"
        "os.lchown(path, 4711, 4711)\n"
        "os.setgroups([4711]); os.setresgid(4711, 4711, 4711); os.setresuid(4711, 4711, 4711)\n"
        "os.setregid(4711, 4711); os.setreuid(4711, 4711); os.setgid(4711); os.setuid(4711)\n"
        "assert before == (os.stat(path).st_uid, os.getresuid(), os.getresgid(), os.getgroups())\n"
        # Other calls are what they were, also in programs started from here.
        "os.chmod(path, 0o640)\n"
        "assert os.stat(path).st_mode & 0o777 == 0o640\n"
        "assert os.system(f'chown 4711 {path} && test ! -O /proc/1/nowhere') == 0\n"
        "print('done')"
    )
    assert done.stdout == "done\n", done.stderr


def test_orphans_come_to_the_subreaper():
    done = in_process(
        "import time\n"
        "kernel.become_subreaper()\n"
        "if os.fork() == 0:\n"
        "    if os.fork() == 0:\n"
        "        time.sleep(0.2)\n"
        "        os._exit(7)\n"
        "    os._exit(0)\n"
        "codes = sorted(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(2))\n"
        "print(codes)"
    )
    assert done.stdout == "[0, 7]\n", done.stderr


def test_a_refusal_is_an_error_with_a_reason(tmp_path):
    nowhere = os.open(os.devnull, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match="setns: Invalid argument"):
            kernel.join(nowhere, kernel.NEWNET)
    finally:
        os.close(nowhere)
    with pytest.raises(OSError, match=r"bind .*(No such file|not permitted)"):
        kernel.bind(str(tmp_path / "a"), str(tmp_path / "b"))
    with pytest.raises(OSError, match="unshare"):
        kernel.unshare(-1)
