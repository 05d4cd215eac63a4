"""The store against a model in memory: whatever is done in whatever order, both say the same."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tiny_data import write_pool
from tiny_project import add_regions, create

from napari_active_seg.project import Project
from napari_active_seg.regions import UNLABELLED, Effort, RegionState

STATES = list(RegionState)


class Store(RuleBasedStateMachine):
    """Regions are places, labels lists of arrays of uids, classes a list of (name, uid)."""

    def __init__(self):
        super().__init__()
        self.place = Path(tempfile.mkdtemp())
        write_pool(self.place / "data", count=2, shape=(40, 40))
        self.project = None
        self.states: dict[str, RegionState] = {}
        self.saves: dict[str, list] = {}
        self.strokes: dict[str, int] = {}
        self.classes = [("background", 0), ("disk", 1)]
        self.next_uid = 2
        self.books = []

    @initialize()
    def make(self):
        self.project = create(self.place / "project", self.place / "data")

    def teardown(self):
        if self.project is not None:
            self.project.close()
        shutil.rmtree(self.place)

    def some(self, number):
        return list(self.states)[number % len(self.states)]  # ids are random, their order is not

    @rule(count=st.integers(1, 3))
    def propose(self, count):
        places = [("img0.png", 0, 8 * k) for k in range(count)]
        for region in add_regions(self.project, places):
            self.states[region], self.saves[region] = RegionState.PROPOSED, []
            self.strokes[region] = 0

    @precondition(lambda self: self.states)
    @rule(number=st.integers(0, 99), seed=st.integers(0, 9999), state=st.sampled_from(STATES))
    def save(self, number, seed, state):
        region = self.some(number)
        rng = np.random.default_rng(seed)
        values = [*range(len(self.classes)), UNLABELLED]
        target = rng.choice(np.array(values, np.uint8), (16, 16))
        effort = Effort(strokes=1)
        self.project.labels.save(region, target, state=state, annotator="A", effort=effort)
        uids = np.full(256, UNLABELLED, np.uint8)
        uids[: len(self.classes)] = [uid for _, uid in self.classes]
        self.saves[region].append(uids[target])
        self.states[region] = state
        self.strokes[region] += 1

    @precondition(lambda self: self.states)
    @rule(number=st.integers(0, 99), state=st.sampled_from(STATES))
    def set_state(self, number, state):
        region = self.some(number)
        self.project.regions.set_state(region, state)
        self.states[region] = state

    @precondition(lambda self: any(len(s) > 1 for s in self.saves.values()))
    @rule(number=st.integers(0, 99), back=st.integers(0, 99))
    def restore(self, number, back):
        regions = [r for r, saves in self.saves.items() if len(saves) > 1]
        region = regions[number % len(regions)]
        history = self.project.labels.history(region)
        place = back % (len(history) - 1)
        self.project.labels.restore(region, history[place].uid, annotator="A")
        self.saves[region].append(self.saves[region][place])
        self.states[region] = history[place].state

    @precondition(lambda self: len(self.classes) < 6)
    @rule()
    def add_class(self):
        self.books.append(list(self.classes))
        name = f"class {self.next_uid}"
        book = self.project.classes.current.add_class(name)
        self.project.classes.change(book, what="added", annotator="A")
        self.classes.append((name, self.next_uid))
        self.next_uid += 1

    @rule()
    def turn_round(self):
        self.books.append(list(self.classes))
        self.classes.reverse()
        book = self.project.classes.current.reorder_classes([name for name, _ in self.classes])
        self.project.classes.change(book, what="turned", annotator="A")

    @precondition(lambda self: self.books)
    @rule()
    def undo_classes(self):
        self.project.classes.undo(annotator="A")
        self.classes = self.books.pop()

    @rule(copied=st.booleans())
    def reopen(self, copied):
        folder = self.project.folder
        self.project.close()
        if copied:
            elsewhere = folder.with_name(folder.name + "c")
            shutil.copytree(folder, elsewhere)
            folder = elsewhere
        self.project = Project.open(folder)

    @invariant()
    def both_say_the_same(self):
        if self.project is None:
            return
        assert self.project.schema.names == tuple(name for name, _ in self.classes)
        queue = {queued.id: queued.state for queued in self.project.regions.queue()}
        assert queue == self.states
        positions = np.full(256, UNLABELLED, np.uint8)
        for position, (_, uid) in enumerate(self.classes):
            positions[uid] = position
        for region, saves in self.saves.items():
            history = self.project.labels.history(region)
            assert len(history) == len(saves)
            label = self.project.labels.latest(region)
            assert (label is None) == (not saves)
            if saves:
                assert (label.target == positions[saves[-1]]).all()
                assert (self.project.labels.get_target(history[0].uid) == positions[saves[0]]).all()
                assert label.effort.strokes == self.strokes[region]


TestStore = Store.TestCase
TestStore.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
