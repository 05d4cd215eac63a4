"""Work that another process can import and do."""

import os
import time


def process_id(token, report):
    report(1, 2, "half way")
    return os.getpid()


def fail(token, report):
    raise ValueError("broken there")


class OddError(Exception):
    """Cannot be made anew from what it says."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


def fail_oddly(token, report):
    raise OddError("one", "two")


def wait_for_stop(token, report):
    report(0, 1, "waiting")
    while True:
        token.check()
        time.sleep(0.01)


def die(token, report):
    os.kill(os.getpid(), 9)
