"""Threads that stay."""

import os
import threading
import time

import pytest

from jaxlogit import cores


@pytest.mark.parametrize("count", [1, 3])
def test_results_come_in_order(count):
    assert cores.spread(lambda i: i * i, range(20), count) == [i * i for i in range(20)]


def test_work_is_shared():
    both = threading.Barrier(2, timeout=20)
    assert len(cores.spread(lambda _: both.wait(), range(2), 2)) == 2


def test_nothing_goes_on_after_an_error():
    running = []

    def work(i):
        running.append(i)
        time.sleep(0.02 * i)
        if i == 0:
            raise ValueError("first")
        running.remove(i)

    with pytest.raises(ValueError, match="first"):
        cores.spread(work, range(200), 2)
    assert running == [0]
    time.sleep(0.1)
    assert running == [0]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_forked_child_has_threads_of_its_own():
    assert cores.spread(abs, range(4), 2) == [0, 1, 2, 3]
    child = os.fork()
    if child == 0:
        os._exit(0 if cores.spread(abs, range(4), 2) == [0, 1, 2, 3] else 1)
    for _ in range(200):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.05)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
        status = -1
    assert status == 0
