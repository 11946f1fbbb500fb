"""Processes are killed, interrupted, or started twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from mednext.runs.resolve import run_paths
from tests.faults.conftest import HANGS, Outcome, World

from ..checkout import copy_checkout

TRAIN = ("mednext", "train", "--configfile", "tiny.yaml")
METRICS = ("snakemake", "results/tiny/metrics.csv", "--cores", "1", "--configfile", "tiny.yaml")


def first_checkpoint(world: World, process: subprocess.Popen[str], seconds: float = HANGS) -> None:
    """Wait until an epoch is finished, while the training goes on."""
    end = time.monotonic() + seconds
    while not any(run_paths(world.run).work.glob("*/checkpoint.pt")):
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise AssertionError(f"no epoch was finished: {process.communicate()[0]}")
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])
def test_killed_worker(world: World, outcome: Outcome, number: signal.Signals) -> None:
    world.forget_run()
    process = world.start(*TRAIN)
    first_checkpoint(world, process)
    process.send_signal(number)
    # SIGTERM is unwound, so that temporary files go.
    assert process.wait(HANGS) == (128 + number if number == signal.SIGTERM else -number)
    assert not run_paths(world.run).run_json.exists()
    world.finish()
    text = f"training process killed by {number.name}"
    became = "continued after its last epoch: same bits"
    outcome(text, "", became, in_words=f"the process ends; the shell names {number.name}")


def test_interrupted_by_hand(world: World, outcome: Outcome) -> None:
    world.forget_run()
    process = world.start(*TRAIN)
    first_checkpoint(world, process)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=HANGS)[0]
    assert process.returncode == 130
    assert said.splitlines()[-1].startswith("error: interrupted; finished epochs are kept")
    world.finish()
    outcome("Ctrl-C in a training", said.splitlines()[-1], "continued: same bits")


def test_two_trainings_of_one_run(world: World, outcome: Outcome) -> None:
    world.forget_run()
    process = world.start(*TRAIN)
    first_checkpoint(world, process)
    code, said = world.do("train")
    assert code == 2 and "another process is working on this run" in said
    assert process.wait(HANGS) == 0
    world.finish()
    outcome("the same run started twice", said, "the second refused, the first: same bits")


@pytest.fixture
def workflow(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    world.local_data(monkeypatch)
    copy_checkout(world.folder)
    return world


def test_killed_snakemake_and_a_second_one(workflow: World, outcome: Outcome) -> None:
    workflow.forget_run()
    first = workflow.start(*METRICS)
    first_checkpoint(workflow, first)
    # It holds its locks, but cannot end before the second has started, however slow the machine.
    os.killpg(first.pid, signal.SIGSTOP)
    second = workflow.start(*METRICS)
    said = second.communicate(timeout=HANGS)[0]
    assert second.returncode != 0
    assert "another process is working on the results of profile 'tiny'" in said
    assert first.poll() is None
    told = said[said.index("another process") :]
    os.killpg(first.pid, signal.SIGKILL)  # snakemake and its training
    first.wait(HANGS)
    assert not run_paths(workflow.run).run_json.exists()
    third = workflow.start(*METRICS)
    said = third.communicate(timeout=HANGS)[0]
    assert third.returncode == 0, said
    workflow.finish()
    record = json.loads(run_paths(workflow.run).run_json.read_text())
    assert record["epochs_done"] == 4
    outcome("a second snakemake on the same results", told, "refused; the first is not disturbed")
    text = "snakemake and its jobs killed by SIGKILL"
    became = "the same command continues without --unlock: same bits"
    outcome(text, "", became, in_words="both end; the shell names SIGKILL")
    _clock_set_back(workflow, outcome)


def test_interrupted_snakemake(workflow: World, outcome: Outcome) -> None:
    workflow.forget_run()
    process = workflow.start(*METRICS)
    first_checkpoint(workflow, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal sends it, to the jobs and tee as well
    said = process.communicate(timeout=HANGS)[0]
    assert process.returncode != 0
    assert "error: interrupted; finished epochs are kept" in said
    workflow.finish()
    outcome("Ctrl-C under snakemake", said, "continued: same bits")


def test_a_configuration_that_snakemake_cannot_decode(workflow: World, outcome: Outcome) -> None:
    """Snakemake reads the file before anything of the suite runs, and ends as it does."""
    file = workflow.folder / "tiny.yaml"
    text = file.read_text()
    file.write_text(text, encoding="utf-16")
    process = workflow.start(*METRICS)
    said = process.communicate(timeout=HANGS)[0]
    assert process.returncode != 0 and said.strip().splitlines()[-1].startswith("UnicodeDecode")
    code, said = workflow.do("doctor")
    assert code == 2 and "error: the file is not text in UTF-8" in said
    file.write_text(text)
    workflow.finish()
    seen = "Snakemake's traceback, `UnicodeDecodeError` at its end; of `mednext doctor` "
    seen += "`error: the file is not text in UTF-8`"
    outcome("configuration in UTF-16 under snakemake", "", "refused", in_words=seen)


def _clock_set_back(workflow: World, outcome: Outcome) -> None:
    """As if the clock had been a day ahead when the data were made: part of the same story, since
    starting the workflow takes seconds.
    """
    tomorrow = time.time() + 86400
    for file in Path(os.environ["MEDNEXT_DATA"]).rglob("*"):
        os.utime(file, (tomorrow, tomorrow))
    again = workflow.start(*METRICS)
    said = again.communicate(timeout=HANGS)[0]
    assert again.returncode == 0, said
    workflow.finish()
    assert "Nothing to be done" in said  # small inputs are compared by content, not by time
    outcome(
        "clock set back: inputs are newer than results",
        said.splitlines()[-1],
        "recognised as unchanged: same bits",
    )


def test_clock_going_backwards_while_training(
    world: World, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.forget_run()
    start = time.time()
    ticks = iter(range(10**6))
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: start - 3600 * next(ticks))
        world.finish()
    record = json.loads(run_paths(world.run).run_json.read_text())
    assert len(record["epoch_seconds"]) == 4 and min(record["epoch_seconds"]) > 0
    became = "same bits; times stay positive"
    outcome("clock running backwards in a training", "", became, in_words="the usual progress")
