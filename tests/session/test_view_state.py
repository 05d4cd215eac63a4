"""Why something cannot be done, as the window says it."""

from napari_active_seg.jobs import JobKind
from napari_active_seg.regions import RegionState
from napari_active_seg.session import resolve_view
from napari_active_seg.session.labels.effort import EffortMeter


def test_reasons_follow_the_state(session, pool):
    def why():
        return resolve_view(session.state).why_not

    assert why().train == "No finished regions yet: finish a region first"
    assert why().predict == why().use_model == "No model yet: train one first"
    assert why().paint == why().answer and "No region is selected" in why().paint
    assert why().propose == why().write == why().start_job == ""
    session.proposals.propose(count=2, size=32)
    assert why().paint == why().answer == ""
    assert why().reopen == "This region is not finished yet"
    region_id = session.state.region_id
    session.labels.set_state(region_id, RegionState.SKIPPED)
    session.select_region(region_id)
    assert why().reopen == ""
    session.labels.answer_from_masks(pool / "masks")
    assert why().train == "" and resolve_view(session.state).can_train


def test_reasons_while_a_job_runs(session):
    session.context.update(jobs=(JobKind.TRAIN, JobKind.PROPOSE))
    why_not = resolve_view(session.state).why_not
    assert why_not.propose == "Regions are being proposed: wait for it, or stop it"
    assert why_not.start_job == "Wait for this to end, or stop it: training"


def test_a_read_only_project_says_so(session):
    session.context.update(read_only=True)
    why_not = resolve_view(session.state).why_not
    assert {why_not.write, why_not.propose, why_not.train, why_not.paint} == {
        "The project is open read-only"
    }


def test_back_leads_only_to_regions_that_are_there(session):
    session.proposals.propose(count=3, size=32)
    assert not session.navigation.can_go_back
    session.next_region()
    assert session.navigation.can_go_back
    session.navigation.back()
    assert not session.navigation.can_go_back


def test_seconds_of_a_region_are_all_that_were_saved(session):
    import numpy as np

    from napari_active_seg.regions import Effort

    session.proposals.propose(count=2, size=32)
    region_id = session.state.region_id
    target = np.zeros((32, 32), np.uint8)
    assert session.labels.seconds(region_id) == 0
    session.labels.save(region_id, target, effort=Effort(active_s=3))
    session.labels.save(region_id, target, effort=Effort(active_s=4))
    session.labels.leave(region_id, RegionState.DONE, effort=Effort(active_s=1.5))
    session.labels.flush()
    assert session.labels.seconds(region_id) == 8.5


def test_meter_counts_on_from_what_was_saved():
    clock = [0.0]
    meter = EffortMeter(lambda: clock[0])
    meter.start(already_s=10)
    clock[0] = 4
    meter.touched()
    assert meter.total_s == 14 and meter.active_s == 4
    assert meter.take(3).active_s == 4
    assert meter.total_s == 14
    clock[0] = 5
    meter.touched()
    assert meter.total_s == 15
    meter.start()
    assert meter.total_s == 0


def test_jobs_say_how_they_ended(session):
    ended = []
    session.job_ended.connect(lambda job, error: ended.append((job, error)))
    session.proposals.propose(count=2, size=32)
    assert ended == [(JobKind.PROPOSE, None)]
