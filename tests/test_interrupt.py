"""Signals: where they break in, where they wait, and that a second one ends the process."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from codeduet import interrupt
from codeduet.interrupt import Interrupted, allowed, check, goes_on, handled, put_off


@pytest.fixture(autouse=True)
def _restored_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in interrupt.SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
    interrupt._State.first = None


def interrupted(block: Callable[[], None]) -> Interrupted:
    with pytest.raises(Interrupted) as raised, handled():
        block()
    return raised.value


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_breaks_in_with_the_status_of_convention(number: signal.Signals, status: int) -> None:
    def block() -> None:
        with goes_on("outer"), goes_on("inner"):
            signal.raise_signal(number)

    stop = interrupted(block)
    assert stop.status == status
    assert stop.line() == "stopped; this goes on: inner"


def test_a_signal_waits_for_a_place_that_allows_it() -> None:
    reached = []

    def before() -> None:
        with put_off():
            signal.raise_signal(signal.SIGTERM)
            reached.append("put off")
            with allowed():
                reached.append("allowed")

    def within() -> None:
        with put_off():
            with allowed():
                check()
                signal.raise_signal(signal.SIGTERM)
                reached.append("within")
            reached.append("behind")

    for block in (before, within):
        interrupted(block)
    assert reached == ["put off"]


def test_a_signal_that_no_place_allowed_breaks_in_at_the_blocks_end() -> None:
    reached = []

    def block() -> None:
        with put_off():
            with put_off():
                signal.raise_signal(signal.SIGTERM)
            reached.append("within the outer block")
        reached.append("behind it")

    interrupted(block)
    assert reached == ["within the outer block"]


def test_a_signal_that_comes_twice_at_once_is_one() -> None:
    reached = []

    def block() -> None:
        with put_off():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            reached.append("still here")
            check()

    assert interrupted(block).status == 143
    assert reached == ["still here"]


def test_handlers_are_given_back_where_no_signal_came() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with handled():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_second_signal_ends_the_process_at_once_and_silently(number: signal.Signals, status: int) -> None:
    script = (
        "import time\n"
        "from codeduet.interrupt import handled, put_off\n"
        "with handled(), put_off():\n"
        "    print('ready', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGTERM)
        time.sleep(2 * interrupt._ONE_PRESS_S)
        assert running.poll() is None
        began = time.monotonic()
        running.send_signal(number)
        _, err = running.communicate(timeout=30)
    assert (running.returncode, err) == (status, "")
    assert time.monotonic() - began < 10
