"""Runs of a real kernel: what they show, and how they end however the kernel, or a cell of it, ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from runyard.client import open_client
from runyard.journal.events import Failed, Finished, StopObeyed, Warned
from tests.tracking.journals import events_in, points_in
from tests.tracking.notebook.kernels import NO_SUPERVISOR, Kernel, ended


def only_run(home: Path) -> Path:
    (folder,) = (home / "runs").iterdir()
    return folder


def run_named(home: Path, kernel: Kernel) -> Path:
    return home / "runs" / kernel.run("print(run.id)").text.strip()


@pytest.mark.slow
def test_a_killed_kernel_interrupts_its_run_and_loses_no_point(kernel: Kernel, home: Path) -> None:
    cell = "run = runyard.start_run('weld')\nfor i in range(1000): run.log(loss=i)\nprint('there')\nsignal.pause()"
    kernel.begin(cell, until="there")

    kernel.kill()

    event = ended(only_run(home))
    assert event.state == "INTERRUPTED"
    assert "ended without finishing" in event.reason
    assert len(points_in(only_run(home))["loss"]) == 1000


@pytest.mark.slow
def test_a_kernel_that_is_restarted_and_one_that_is_shut_down_end_their_runs(kernel: Kernel, home: Path) -> None:
    kernel.begin("run = runyard.start_run('weld'); run.log(loss=1); print('there'); signal.pause()", until="there")

    kernel.restart()  # in the middle of a cell

    first = only_run(home)
    event = ended(first)
    assert (event.state, points_in(first)) == ("STOPPED", {"loss": [(0, 1.0)]})
    assert "interrupted at the keyboard" in event.reason

    kernel.run(f"import runyard; {NO_SUPERVISOR}; run = runyard.start_run('weld'); run.log(loss=1)")
    second = run_named(home, kernel)
    kernel.manager.shutdown_kernel()  # between two cells
    assert len(events_in(second, Finished)) == 1


@pytest.mark.slow
def test_cells_and_runs_of_one_kernel(kernel: Kernel, home: Path) -> None:
    """One story, since a kernel takes seconds to start."""
    # whoever stops a run between two cells stops the run, and not the kernel
    kernel.run("run = runyard.start_run('weld'); run.log(loss=1)")
    client = open_client(home)
    client.refresh()
    client.request_stop(only_run(home).name, why="not needed")
    client.close()
    event = ended(only_run(home))
    assert (event.state, "not needed" in event.reason) == ("STOPPED", True)
    assert kernel.run("print(run.is_finished)").text == "True\n"
    kernel.run(NO_SUPERVISOR)

    # an exception that leaves `with` is the end; one that leaves the cell is only its end
    kernel.run("with runyard.start_run('weld') as run:\n    run.log(loss=1 / 0)")
    (failed,) = events_in(run_named(home, kernel), Failed)
    assert failed.type == "ZeroDivisionError"
    kernel.run("run = runyard.start_run('weld'); run.log(loss=1); raise ValueError('in the cell')")
    assert kernel.run("print(run.is_finished)").text == "False\n"

    # going on well, it ends well
    kernel.run("run.log(loss=2)")
    first = run_named(home, kernel)
    kernel.run("run = runyard.start_run('weld')")
    assert len(events_in(first, Finished)) == 1
    assert points_in(first) == {"loss": [(0, 1.0), (1, 2.0)]}

    # the same cell once more: what had failed has failed
    cell = "run = runyard.start_run('weld')\nrun.log(loss=1)\nraise KeyError('data')"
    kernel.run(cell)
    second = run_named(home, kernel)
    kernel.run("not_a_name  # a slip that has nothing to do with the run")
    kernel.run(cell)
    (failed,) = events_in(second, Failed)
    assert (failed.type, failed.message) == ("KeyError", "'data'")
    assert events_in(second, Finished) == []

    # Ctrl-C, with `with` and without
    kernel.run(
        "with runyard.start_run('weld') as run:\n    print('there', flush=True); signal.pause()", interrupt_at="there"
    )
    (stopped,) = events_in(run_named(home, kernel), StopObeyed)
    assert "keyboard" in stopped.reason
    kernel.run(
        "run = runyard.start_run('weld'); run.log(x=1); print('there', flush=True); signal.pause()",
        interrupt_at="there",
    )
    third = run_named(home, kernel)
    assert events_in(third, StopObeyed) == []
    kernel.run("runyard.start_run('weld').finish()")
    assert len(events_in(third, StopObeyed)) == 1

    # sys.exit ends a cell only
    kernel.run("import sys; run = runyard.start_run('weld'); run.log(x=1); sys.exit(3)")
    kernel.run("run.log(x=2); run.finish()")
    assert len(events_in(run_named(home, kernel), Finished)) == 1

    the_chart(kernel, home)

    # SIGTERM that nobody of ours has sent is for the kernel
    kernel.run("run = runyard.start_run('weld'); run.log(x=1)")
    last = run_named(home, kernel)
    os.kill(kernel.pid, signal.SIGTERM)
    kernel.manager.provisioner.process.wait()
    (stopped,) = events_in(last, StopObeyed)
    assert stopped.signalled


def the_chart(kernel: Kernel, home: Path) -> None:
    """It grows in its place while the cell runs."""
    name = "<script>alert(1)</script>$x$"

    points = "{'train/loss': 1 / (i + 1), 'val/loss': 2, 'odd': float('nan')}"
    shown = kernel.run(
        f"run = runyard.start_run('weld', name={name!r})\n"
        "for i in range(5):\n"
        "    run._draw_at = 0  # as after a second\n"
        f"    run.log({points}, step=i)"
    )

    (first,) = shown.pictures("display_data")
    updates = shown.pictures("update_display_data")
    assert {each["transient"]["display_id"] for each in updates} == {first["transient"]["display_id"]}
    assert len(updates) >= 5
    html = updates[-1]["data"]["text/html"]
    assert html.count("<svg") == 1
    assert "no finite value yet" in html
    assert "<script>" not in html
    assert "open" in html
    assert "train/loss 0.2" in updates[-1]["data"]["text/plain"]

    shown = kernel.run("run.log(x=1); run.finish()")
    (again,) = shown.pictures("display_data")
    assert again["transient"] != first["transient"]
    assert "completed" in shown.pictures()[-1]["data"]["text/html"]

    shown = kernel.run("run = runyard.start_run('weld', live=False); run.log(x=1); run.finish()")
    assert shown.pictures() == []

    shown = kernel.run("os.environ['RUNYARD_LIVE'] = '0'; run = runyard.start_run('weld'); run.log(x=1)")
    assert shown.pictures() == []

    # a page that cannot be drawn costs the picture and nothing else
    kernel.run("os.environ['RUNYARD_LIVE'] = '1'; run = runyard.start_run('weld')")
    shown = kernel.run(
        "get_ipython().display_pub.publish, publish = None, get_ipython().display_pub.publish\n"
        "run.log(x=1); run.log(x=2); run.finish()\n"
        "get_ipython().display_pub.publish = publish"
    )
    assert shown.status == "ok"
    assert points_in(run_named(home, kernel)) == {"x": [(0, 1.0), (1, 2.0)]}
    (warned,) = events_in(run_named(home, kernel), Warned)
    assert "chart" in warned.text


@pytest.mark.parametrize("statement", ["import IPython", "import runyard"])
def test_outside_of_notebooks_nothing_of_notebooks_is_loaded(home: Path, tmp_path: Path, statement: str) -> None:
    program = (
        f"import sys, os; {statement}; import runyard; before = 'IPython' in sys.modules; {NO_SUPERVISOR};"
        "run = runyard.start_run('weld'); run.log(x=1); run.finish();"
        "assert ('IPython' in sys.modules) == before; assert type(run) is runyard.Run;"
        "assert not [name for name in sys.modules if name.startswith(('runyard.drawing', 'runyard.tracking.notebook'))]"
    )

    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)

    assert len(events_in(only_run(home), Finished)) == 1
