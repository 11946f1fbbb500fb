"""A Slurm cluster of one node on loopback, as long as a test lasts."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

TOOLS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")
PACKAGES = ("slurm-wlm", "munge")
SYSTEM = Path("/etc/slurm/slurm.conf")
CONF = """
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={root}/munge/socket
CredType=cred/munge
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/slurmd.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=2
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
KillWait=5
MinJobAge=3600
ReturnToService=2
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=8 RealMemory={memory} State=UNKNOWN
PartitionName=loopback Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def install() -> str | None:
    """Make Slurm's tools available; returns why not, or None."""
    os.environ["PATH"] += os.pathsep + "/usr/sbin"
    if all(shutil.which(tool) for tool in TOOLS):
        return None
    if os.getuid() != 0:
        return "installing slurm-wlm and munge needs root"
    if shutil.which("apt-get") is None:
        return "there is no apt-get to install slurm-wlm and munge with"
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    for words in (
        ["update", "-qq"],
        ["install", "-y", "-qq", "--no-install-recommends", *PACKAGES],
    ):
        done = subprocess.run(
            ["apt-get", *words], env=os.environ | quiet, capture_output=True, text=True
        )
        if done.returncode != 0:
            return f"apt-get {words[0]} failed: {done.stderr.strip()[-300:]}"
    return None


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


@dataclass(frozen=True)
class Slurm:
    """A running cluster."""

    root: Path

    def __call__(self, *words: str) -> str:
        """What a command of Slurm prints."""
        done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    def log(self) -> str:
        """The controller's log."""
        return (self.root / "slurmctld.log").read_text()


def wait_for(what: Callable[[], object], seconds: float, why: str) -> None:
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {why}")
        time.sleep(0.2)


@contextmanager
def running(words: list[str], log: Path) -> Iterator[None]:
    """A daemon in the foreground, ended with the block."""
    with log.open("ab") as out:
        process = subprocess.Popen(words, stdout=out, stderr=out)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """One node with eight CPUs on paper, so that jobs fit beside each other."""
    reason = install()
    if reason is None and os.getuid() != 0:
        reason = "slurmd needs root"
    if reason is None and SYSTEM.exists():
        reason = f"{SYSTEM} is there: this machine belongs to a cluster"
    if reason is not None:
        pytest.skip(f"no Slurm here: {reason}")
    root = tmp_path_factory.mktemp("slurm")
    for name in ("munge", "state", "spool"):
        (root / name).mkdir(mode=0o711)
    root.chmod(0o711)
    key = root / "munge" / "key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    host = socket.gethostname().split(".")[0]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    conf = root / "slurm.conf"
    conf.write_text(
        CONF.format(
            host=host,
            root=root,
            ports=free_ports(2),
            memory=memory * 9 // 10,
        )
    )
    munge = ["munged", "--foreground", "--force", f"--socket={root}/munge/socket"]
    munge += [f"--{name}-file={root}/munge/{name}" for name in ("key", "pid", "seed", "log")]
    # Where Slurm looks by itself: the jobs do not inherit SLURM_CONF.
    SYSTEM.parent.mkdir(parents=True, exist_ok=True)
    SYSTEM.unlink(missing_ok=True)  # dangling, of a test that was killed
    SYSTEM.symlink_to(conf)
    try:
        with running(munge, root / "munged.out"):
            wait_for((root / "munge/socket").exists, 20, "munged's socket")
            with (
                running(["slurmctld", "-D", "-f", str(conf)], root / "slurmctld.out"),
                running(["slurmd", "-D", "-f", str(conf)], root / "slurmd.out"),
            ):
                cluster = Slurm(root)
                wait_for(lambda: idle(cluster), 60, "an idle node")
                yield cluster
    finally:
        SYSTEM.unlink()


def idle(cluster: Slurm) -> bool:
    try:
        return "idle" in cluster("sinfo", "--noheader", "--format=%T")
    except subprocess.CalledProcessError:
        return False  # the controller is not up yet
