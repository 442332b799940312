from __future__ import annotations

import signal

from aperiodic.engine.workers import _interrupts_wait


def test_workers_are_started_deaf_to_ctrl_c_and_the_parent_is_not_afterwards() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    with _interrupts_wait():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set())
    assert signal.pthread_sigmask(signal.SIG_BLOCK, set()) == before
    assert signal.SIGINT not in before
