"""Counters read now, against virsh's and the machine's own words."""

from __future__ import annotations

import re
import shutil
import subprocess
import time

import psutil
import pytest

import labvirt as lv
from labvirt.errors import ConflictError, NotFoundError, SpecError, UnsupportedError
from labvirt.host.measuring.tools import Tools
from labvirt.model.xml.domain import DomainXml
from labvirt.status.accelerator import parse_info_jit, parse_query_stats

pytestmark = pytest.mark.lab

virsh_is_here = pytest.mark.skipif(not shutil.which("virsh"), reason="virsh is not installed")


def virsh(host, *words):
    done = subprocess.run(
        ["virsh", "-c", host.uri, *words], capture_output=True, text=True, timeout=30, check=True
    )
    pairs = (line.split()[-2:] for line in done.stdout.splitlines() if line.strip())
    return {name: int(value) for name, value in pairs}


@virsh_is_here
def test_block_stats_are_virsh_s_numbers(disked, alpha):
    before = disked.block_stats("vda")
    disked.run(["/bin/dd", "if=/dev/zero", "of=/dev/vda", "bs=65536", "count=16"])
    disked.run(["/bin/sync"])
    time.sleep(0.2)
    record, told = disked.block_stats("vda"), virsh(alpha, "domblkstat", "disked", "vda")
    assert (record.read_ops, record.read_bytes) == (told["rd_req"], told["rd_bytes"])
    assert (record.write_ops, record.write_bytes) == (told["wr_req"], told["wr_bytes"])
    assert (record.flush_ops, record.flush_ns) == (
        told["flush_operations"],
        told["flush_total_times"],
    )
    assert (record.read_ns, record.write_ns) == (told["rd_total_times"], told["wr_total_times"])
    assert record.write_bytes - before.write_bytes == 16 * 65536
    path = DomainXml.parse(disked.xml()).disks[0].source_path
    assert disked.block_stats(path).device == "vda"


def test_block_stats_of_all_disks_are_a_table(disked):
    read = disked.block_stats()
    assert [each.device for each in read] == ["vda"]
    assert read.df.loc[0, "write_bytes"] == read[0].write_bytes
    assert read.df.attrs["units"]["write_ns"] == "ns"
    assert "vda" in read._repr_html_()


def test_a_disk_that_is_not_there_names_the_nearest(disked):
    with pytest.raises(NotFoundError, match="vda"):
        disked.block_stats("vdaa")


def test_a_domain_that_is_off_counts_nothing(alpha, spec):
    domain = alpha.plan(spec, start=False).apply()
    for read in (domain.block_stats, domain.interface_stats, domain.accelerator_stats):
        with pytest.raises(ConflictError, match="not running"):
            read()


def test_an_interface_that_nobody_can_count_says_so(tiny):
    (record,) = tiny.interface_stats()
    assert record.rx_bytes is None
    assert tiny.interface_stats().df["rx_bytes"].isna().all()
    with pytest.raises(UnsupportedError, match="no device on the host"):
        tiny.interface_stats(record.mac)
    with pytest.raises(NotFoundError):
        tiny.interface_stats("52:54:00:00:00:99")


def test_translator_counters_rise_while_the_guest_works(disked):
    before = disked.accelerator_stats()
    assert before.accelerator == "tcg"
    assert before.counters["tb_count"] > 0
    assert before.counters["gen_code_size_bytes"] < before.counters["gen_code_size_bytes_limit"]
    disked.run(["/bin/sh", "-c", "ls -R /bin /etc >/dev/null; grep -r x /etc >/dev/null; true"])
    after = disked.accelerator_stats()
    assert sum(after.counters.values()) != sum(before.counters.values())


def test_qemu_processes_have_vcpu_threads(disked, alpha):
    (process,) = (p for p in Tools(alpha).qemu_processes(seconds=0.2) if p.domain == "disked")
    assert psutil.Process(process.pid).name().startswith("qemu")
    assert [t.vcpu for t in process.threads if t.vcpu is not None] == [0, 1]
    assert process.memory_bytes > 64 * 2**20


def test_a_busy_vcpu_shows_in_its_thread(disked, alpha, burning):
    with burning(disked):
        found = Tools(alpha).qemu_processes(seconds=1.0)
    threads = found.threads
    used = threads[(threads.domain == "disked") & threads.vcpu.notna()].cpu_percent.sum()
    (row,) = found.df[found.df.domain == "disked"].itertuples()
    assert used > 10
    assert row.cpu_percent >= used - 1
    assert re.search(r"CPU 0/TCG \(\d+\) [\d.]+ %", str(found))


def test_vmstat_is_what_the_kernel_counts(alpha):
    frame = Tools(alpha).vmstat(seconds=0.3, count=2)
    assert len(frame) == 2
    shares = frame[[c for c in frame if c.endswith("_percent")]].sum(axis=1)
    assert shares.between(99.9, 100.1).all()
    assert (frame.memory_free_bytes < psutil.virtual_memory().total).all()
    assert frame.time.diff().dt.total_seconds().iloc[1] == pytest.approx(0.3, abs=0.2)
    assert frame.attrs["units"]["interrupts_s"] == "1/s"


@pytest.mark.skipif(not shutil.which("vmstat"), reason="vmstat (procps) is not installed")
def test_vmstat_and_the_program_say_the_same(alpha):
    with subprocess.Popen(
        ["vmstat", "-n", "-S", "K", "1", "2"], stdout=subprocess.PIPE, text=True
    ) as program:
        frame = Tools(alpha).vmstat(seconds=1.0)
        lines = program.communicate(timeout=20)[0].splitlines()
    told = dict(zip(lines[1].split(), map(int, lines[-1].split()), strict=True))
    ours = frame.iloc[0]
    assert ours.memory_free_bytes / 1024 == pytest.approx(told["free"], rel=0.05)
    assert ours.idle_percent == pytest.approx(told["id"], abs=15)
    assert ours.swap_used_bytes / 1024 == pytest.approx(told["swpd"], abs=64)


def test_iostat_has_a_row_for_each_disk(alpha):
    if not psutil.disk_io_counters(perdisk=True):
        pytest.skip("the kernel counts no disks")
    frame = Tools(alpha).iostat(seconds=0.2)
    assert len(frame) == frame.device.nunique() > 0
    assert frame.busy_percent.between(0, 100).all()


@pytest.mark.parametrize("bad", [0, -1, float("nan"), "1"])
def test_a_time_that_is_none_is_refused(alpha, bad):
    with pytest.raises(SpecError):
        Tools(alpha).vmstat(seconds=bad)


def test_kvm_stat_without_kvm_says_so(alpha):
    from labvirt.host.measuring import tools

    if tools._KVM.exists():
        frame = Tools(alpha).kvm_stat(seconds=0.2)
        assert {"event", "total", "per_s"} == set(frame.columns)
        return
    with pytest.raises(UnsupportedError, match="KVM is not in use") as caught:
        Tools(alpha).kvm_stat(seconds=0.2)
    assert "accelerator_stats" in caught.value.hint


def test_another_machine_s_processes_are_not_ours():
    with lv.connect("test:///default") as host, pytest.raises(UnsupportedError, match="machine"):
        Tools(host).vmstat()


JIT = """Translation buffer state:
gen code size       59476499/67026944
TB count            110194
TB avg target size  17 max=2356 bytes
TB avg host size    298 bytes (expansion ratio: 16.8)
cross page TB count 293 (0%)
direct jump count   65163 (59%) (2 jumps=53243 48%)
TB hash buckets     50137/65536 (76.50% head buckets used)
TB hash occupancy   35.25% avg chain occ. Histogram: [0,10)%|x|[90,100]%
TB hash avg chain   1.022 buckets. Histogram: 1|x|3

Statistics:
TB flush count      0
TLB elided flushes  74386
[TCG profiler not compiled]
"""


def test_info_jit_is_read_line_by_line():
    found = parse_info_jit(JIT)
    assert found["gen_code_size_bytes"] == 59476499
    assert found["gen_code_size_bytes_limit"] == 67026944
    assert found["tb_count"] == 110194
    assert found["tb_avg_target_size_bytes"] == 17
    assert found["tb_avg_target_size_bytes_max"] == 2356
    assert found["cross_page_tb_count_percent"] == 0
    assert found["direct_jump_count_percent"] == 59
    assert found["tb_hash_occupancy_percent"] == 35.25
    assert found["tb_hash_avg_chain"] == 1.022
    assert found["tlb_elided_flushes"] == 74386
    assert parse_info_jit("") == {}


def test_query_stats_are_named_by_vcpu():
    machine = [{"provider": "kvm", "stats": [{"name": "remote-tlb-flush", "value": 7}]}]
    vcpus = [
        {
            "provider": "kvm",
            "qom-path": "/machine/unattached/device[1]",
            "stats": [{"name": "exits", "value": 5}, {"name": "hist", "value": [1, 2]}],
        }
    ]
    assert parse_query_stats(machine, vcpus) == {"remote_tlb_flush": 7, "vcpu1.exits": 5}
