"""The supervisor with real processes: order, restarts, and that nothing outlives it, however it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from streams.config import Settings
from streams.embedded import child, ports, record
from streams.embedded.child import launched
from streams.embedded.supervisor import ROTATE_BYTES, Backoff, rotate
from streams.errors import ConfigError, StartError
from tests.beds import free_port, wait_for
from tests.flows.supervised import Run, musee

Start = Callable[[str], Run]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Start]:
    runs: list[Run] = []

    def start(parts: str) -> Run:
        runs.append(Run(tmp_path / "home", parts))
        return runs[-1]

    yield start
    for run in runs:
        if run.process.poll() is None:
            run.process.terminate()
            run.end()


TWO_SLEEPERS = 'parts = [Child("one", SLEEP), Child("two", SLEEP, needs=("one",))]'


def test_children_die_when_the_supervisor_is_killed(supervise: Start) -> None:
    run = supervise(TWO_SLEEPERS)
    run.wait_said("ALL UP")
    pids = [run.pid("one"), run.pid("two")]
    assert all(psutil.pid_exists(pid) for pid in pids)

    run.process.kill()
    run.end()

    wait_for(lambda: not any(psutil.pid_exists(pid) for pid in pids), what="the end of the children")


def test_control_a_child_without_the_launcher_outlives_its_parent(tmp_path: Path) -> None:
    script = "import subprocess, sys, time; print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
    parent = subprocess.Popen(launched([sys.executable, "-c", script]), stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    orphan = psutil.Process(int(parent.stdout.readline()))

    parent.kill()
    parent.wait()
    time.sleep(0.3)

    assert orphan.is_running()
    orphan.kill()


def test_a_child_whose_parent_is_gone_already_does_not_start(tmp_path: Path) -> None:
    someone_else = "1"
    command = [sys.executable, "-I", "-S", child.__file__, someone_else, "touch", str(tmp_path / "started")]

    code = subprocess.run(command, check=False).returncode

    assert code == 1
    assert not (tmp_path / "started").exists()


def test_a_command_that_does_not_exist_says_so_in_its_log(supervise: Start) -> None:
    run = supervise('parts = [Child("ghost", ["/no/such/program"]), Child("one", SLEEP)]')

    run.wait_said("ghost died (exit 127), again in 0.5 s")

    assert "cannot start /no/such/program: No such file or directory" in run.log("ghost")


def test_a_dead_child_is_restarted_later_each_time_and_that_is_said(supervise: Start) -> None:
    run = supervise('parts = [Child("one", SLEEP)]')
    run.wait_said("ALL UP")
    pids = [run.pid("one")]

    for deaths in (1, 2, 3):
        os.kill(pids[-1], signal.SIGKILL)
        run.wait_said("one ready again", times=deaths)
        pids.append(run.pid("one"))

    died = run.said("one died (killed by SIGKILL)")
    assert [line.split(", ")[1].split(";")[0] for line in died] == ["again in 0.5 s", "again in 1 s", "again in 2 s"]
    assert all(str(run.home / "logs" / "one.log") in line for line in died)
    assert len(set(pids)) == 4
    stack = record.read(run.home)
    assert stack is not None
    assert stack.parts["one"].restarts == 3


def test_the_wait_begins_anew_after_a_healthy_while(supervise: Start) -> None:
    run = supervise('backoff = Backoff(delay_s=0.1, healthy_s=0.2)\nparts = [Child("one", python("time.sleep(0.4)"))]')

    run.wait_said("one died", times=3)

    assert all("again in 0.1 s" in line for line in run.said("one died"))


def test_the_wait_doubles_up_to_half_a_minute() -> None:
    waits = [Backoff().delay(deaths) for deaths in range(1, 10)]

    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_a_child_starts_only_when_what_it_needs_is_ready(supervise: Start) -> None:
    run = supervise(
        'parts = [Child("store", SLEEP, ready=exists("open")), Child("other", SLEEP),'
        ' Child("user", SLEEP, needs=("store",))]'
    )
    run.wait_said("other ready")
    before = record.read(run.home)
    assert before is not None
    assert before.parts["store"].process
    assert before.parts["user"].process is None

    (run.home / "open").touch()
    run.wait_said("ALL UP")

    assert [line.split(" ready")[0] for line in run.said("ready")] == ["other", "store", "user"]


def test_a_step_runs_once_between_those_it_needs_and_those_that_need_it(supervise: Start) -> None:
    run = supervise(
        'async def work():\n    say("working")\n'
        'parts = [Child("store", SLEEP), Step("setup", work, needs=("store",)), Child("user", SLEEP, needs=("setup",))]'
    )
    run.wait_said("ALL UP")

    order = ["store ready", "working", "setup ready", "user ready", "ALL UP"]
    assert [line.split(" (")[0] for line in run.lines] == order


def test_a_part_that_needs_an_unknown_one_is_a_bug(supervise: Start) -> None:
    run = supervise('parts = [Child("one", SLEEP, needs=("nobody",))]')

    assert run.end() == 1
    assert run.said("ValueError: one needs ['nobody']")


def test_a_child_that_never_gets_ready_ends_the_start_with_its_reason_and_last_words(supervise: Start) -> None:
    words = "print('no room'); sys.stdout.flush(); time.sleep(600)"
    run = supervise(
        f'parts = [Child("one", SLEEP), Child("two", python("{words}"), ready=exists("open"), start_timeout_s=3)]'
    )

    run.end()

    (refusal,) = run.said("REFUSED")
    assert "two was not ready within 3 s: open is missing; its log ends: no room" in refusal
    assert run.said("one stopped")
    assert record.read(run.home) is None


def test_a_failing_step_ends_the_start_and_stops_what_ran(supervise: Start) -> None:
    run = supervise(
        'async def work():\n    raise StartError("no disk")\n'
        'parts = [Child("one", SLEEP), Step("setup", work, needs=("one",)), Child("two", SLEEP, needs=("setup",))]'
    )

    run.end()

    assert run.said("REFUSED no disk")
    assert run.said("one stopped")
    assert not run.said("two")


def test_ctrl_c_reaches_the_supervisor_alone_which_stops_users_before_stores(supervise: Start) -> None:
    run = supervise('parts = [Child("store", TELL), Child("user", TELL, needs=("store",))]')
    run.wait_said("ALL UP")
    pids = [run.pid("store"), run.pid("user")]
    for name in ("store", "user"):
        run.wait_logged(name, "listening")

    os.killpg(run.process.pid, signal.SIGINT)  # what a terminal does: all of the foreground group

    assert run.end() == 0
    assert "ended by SIGTERM" in run.log("store")
    assert "ended by SIGTERM" in run.log("user")
    assert [line.split(" (")[0] for line in run.said("stopped")] == ["user stopped", "store stopped"]
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert record.read(run.home) is None


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_it_too(supervise: Start, number: signal.Signals) -> None:
    run = supervise(TWO_SLEEPERS)
    run.wait_said("ALL UP")

    run.process.send_signal(number)

    assert run.end() == 0
    assert run.said("one stopped")


def test_it_can_be_stopped_while_it_starts(supervise: Start) -> None:
    run = supervise('parts = [Child("one", SLEEP, ready=exists("open"))]')
    wait_for(lambda: (found := record.read(run.home)) is not None and bool(found.processes()))
    pid = run.pid("one")

    run.process.send_signal(signal.SIGINT)

    assert run.end() == 0
    assert not psutil.pid_exists(pid)


def test_a_deaf_child_is_killed_after_its_time(supervise: Start) -> None:
    run = supervise('parts = [Child("one", DEAF, stop_timeout_s=0.5)]')
    run.wait_said("ALL UP")
    run.wait_logged("one", "listening")

    run.process.send_signal(signal.SIGTERM)

    assert run.end() == 0
    (line,) = run.said("one killed (")
    assert float(line.partition("(")[2].removesuffix(" s)")) >= 0.5


def test_a_second_ctrl_c_does_not_wait(supervise: Start) -> None:
    run = supervise('parts = [Child("one", DEAF, stop_timeout_s=60)]')
    run.wait_said("ALL UP")
    run.wait_logged("one", "listening")

    run.process.send_signal(signal.SIGINT)
    run.wait_said("stopping")
    run.process.send_signal(signal.SIGINT)

    assert run.end() == 0
    assert run.said("one killed")


def test_a_child_that_hangs_in_sigstop_is_stopped_all_the_same(supervise: Start) -> None:
    run = supervise('parts = [Child("one", TELL)]')
    run.wait_said("ALL UP")
    run.wait_logged("one", "listening")
    pid = run.pid("one")
    os.kill(pid, signal.SIGSTOP)

    run.process.send_signal(signal.SIGTERM)

    assert run.end() == 0
    assert not psutil.pid_exists(pid)


def test_a_second_up_on_the_same_home_is_refused_in_one_line(supervise: Start) -> None:
    run = supervise(TWO_SLEEPERS)
    run.wait_said("ALL UP")

    second = musee("up", home=run.home)

    assert second.returncode == 1
    (line,) = second.stderr.splitlines()
    assert f"already runs, pid {run.process.pid}" in line
    assert psutil.pid_exists(run.pid("one"))


def test_the_lock_dies_with_the_supervisor_and_is_not_its_childrens(supervise: Start) -> None:
    run = supervise('parts = [Child("one", SLEEP)]')
    run.wait_said("ALL UP")
    held = [file.path for file in psutil.Process(run.pid("one")).open_files()]
    assert str(record.lock_file(run.home)) not in held
    with pytest.raises(StartError, match="already runs"), record.Lock(run.home):
        pass

    run.process.kill()
    run.end()

    with record.Lock(run.home):
        pass


def test_down_stops_the_supervisor_of_its_home_and_waits(supervise: Start) -> None:
    run = supervise(TWO_SLEEPERS)
    run.wait_said("ALL UP")
    pids = [run.process.pid, run.pid("one"), run.pid("two")]

    done = musee("down", home=run.home)

    run.end()
    assert done.returncode == 0, done.stderr
    assert "everything stopped" in done.stdout
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert "Nothing runs" in musee("down", home=run.home).stdout


def test_down_does_not_touch_a_process_that_only_has_the_same_pid(tmp_path: Path) -> None:
    bystander = subprocess.Popen(["sleep", "600"])
    was = record.Process(bystander.pid, time.time() - 1_000)
    record.lock_file(tmp_path).parent.mkdir()
    record.write(tmp_path, record.Stack(was, str(tmp_path), "running", {}, {}, {}))

    done = musee("down", home=tmp_path)

    assert "Nothing runs" in done.stdout
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()


def test_status_says_that_nothing_runs(tmp_path: Path) -> None:
    found = musee("status", home=tmp_path)

    assert found.returncode == 0
    assert "Nothing runs in" in found.stdout


def test_status_after_a_killed_supervisor_is_not_well(supervise: Start) -> None:
    run = supervise(TWO_SLEEPERS)
    run.wait_said("ALL UP")
    run.process.kill()
    run.end()

    found = musee("status", home=run.home)

    assert found.returncode == 1
    assert "its supervisor was killed" in found.stdout
    assert "musee up" in found.stdout


@pytest.fixture
def taken() -> Iterator[tuple[int, int]]:
    """A port that another process listens on, and its pid."""
    port = free_port()
    script = f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(600)"
    other = subprocess.Popen([sys.executable, "-c", script])
    wait_for(lambda: not ports.is_free(port))
    yield port, other.pid
    other.kill()
    other.wait()


def test_a_taken_port_names_its_holder_and_the_setting(taken: tuple[int, int]) -> None:
    port, pid = taken
    claim = ports.Claim("redis", port, "redis_port")

    with pytest.raises(StartError) as refused:
        ports.ensure_free([ports.Claim("console", free_port(), "console_port"), claim])

    (line,) = str(refused.value).splitlines()
    assert f"port {port} of redis is held by pid {pid} (" in line
    assert f"({sys.executable[:30]}" in line  # a long command is cut, wherever the interpreter lies
    assert "MUSEE_REDIS_PORT" in line


def test_control_a_free_port_is_not_refused() -> None:
    ports.ensure_free([ports.Claim("redis", free_port(), "redis_port")])


def test_up_refuses_a_taken_port_before_it_starts_anything(taken: tuple[int, int], tmp_path: Path) -> None:
    port, pid = taken
    others = {f"{part}_PORT": free_port() for part in ("CONSOLE", "GATEWAY", "AGENTS", "SINK", "CLICKHOUSE", "KAFKA")}

    up = musee("up", home=tmp_path, REDIS_PORT=port, KAFKA_CONTROLLER_PORT=free_port(), **others)

    assert up.returncode == 1
    (line,) = up.stderr.splitlines()
    assert f"pid {pid}" in line
    assert "MUSEE_REDIS_PORT" in line


def test_two_parts_on_one_port_are_refused() -> None:
    settings = Settings.model_validate({"console_port": 18081, "gateway_port": 18081})

    with pytest.raises(ConfigError, match="MUSEE_CONSOLE_PORT=18081: MUSEE_GATEWAY_PORT has the same port"):
        ports.ensure_free(ports.claims(settings))


def test_a_service_of_your_own_needs_no_port_of_ours() -> None:
    settings = Settings.model_validate({"kafka": "broker:9092", "redis": "redis://cache/0"})

    assert {claim.part for claim in ports.claims(settings)} == {"clickhouse", "gateway", "agents", "sink", "console"}


def test_a_log_beyond_ten_megabytes_is_put_aside(tmp_path: Path) -> None:
    small, large = tmp_path / "small.log", tmp_path / "large.log"
    small.write_bytes(b"x" * ROTATE_BYTES)
    large.write_bytes(b"x" * (ROTATE_BYTES + 1))

    rotate(small)
    rotate(large)
    rotate(tmp_path / "missing.log")

    assert sorted(path.name for path in tmp_path.iterdir()) == ["large.log.1", "small.log"]
