"""A program that paints, proposes, trains and saves until it is killed.

``python killed_writer.py FOLDER ACKS``: at each line on stdin it forks a writer that is ready to
go, and prints its number. The writer appends to ACKS what the session has acknowledged, a line
each, and knows no end.
"""

import os
import random
import signal
import sys
import zlib
from pathlib import Path

import numpy as np
from fakes import FakeSegmenters
from psygnal import emit_queued

from napari_active_seg.errors import NothingToDoError
from napari_active_seg.jobs import ThreadRunner
from napari_active_seg.project import Project
from napari_active_seg.regions import Effort, RegionState
from napari_active_seg.session import Session


def write_until_killed(folder, acks, seed):
    draws = random.Random(seed)
    rng = np.random.default_rng(seed)
    session = Session(Project.open(folder), FakeSegmenters(), ThreadRunner())
    session.labels.saver._between_writes_s = 0.0
    out = os.open(acks, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def acknowledge(*words):
        os.write(out, (" ".join(map(str, words)) + "\n").encode())

    def saved(unsaved):
        if unsaved.target is not None:
            crc = zlib.crc32(unsaved.target.tobytes())
            acknowledge("label", unsaved.region_id, crc)
        if unsaved.state is RegionState.DONE:
            acknowledge("done", unsaved.region_id)

    session.labels.saver.saved.connect(saved)
    while True:
        emit_queued()
        regions = session.state.open_regions or session.state.queue  # paint what is done, too
        deed = draws.choices(("paint", "leave", "propose", "train"), (70, 15, 10, 5))[0]
        try:
            if deed == "propose" or len(session.state.queue) < 3:
                session.proposals.propose(count=3, size=24)
                acknowledge("proposed", *(q.id for q in session.state.queue[-3:]))
            elif deed == "train":
                session.train()
                acknowledge("model", session.state.model.id)
            else:
                region = draws.choice(regions)
                target = rng.integers(0, 2, region.region.shape, dtype=np.uint8)
                session.labels.offer(region.id, target, Effort(strokes=1))
                if deed == "leave":
                    session.labels.leave(region.id, RegionState.DONE)
        except NothingToDoError:
            pass


def main():
    folder, acks = Path(sys.argv[1]), sys.argv[2]
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            write_until_killed(folder, acks, int(line))
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
