"""Stand-ins for a network: real answers by a rule that needs no training."""

import json
from dataclasses import replace

import numpy as np
from scipy.special import softmax

from napari_active_seg.calibration import apply_calibration
from napari_active_seg.errors import ModelError
from napari_active_seg.models.segmenter import ImageOutputs, TrainOutcome, TrainStep
from napari_active_seg.uncertainty import MomentStream


class FakeSegmenter:
    """Calls dark pixels class 1, with noise that differs from pass to pass."""

    def __init__(self, preset, classes, threshold=0.5, outputs=None):
        self.preset, self.classes, self.threshold = preset, classes, threshold
        self.outputs = outputs or tuple(range(2))
        self.seen, self.trained = [], []

    origin = "a rule"
    has_contours = False

    def predict(self, image, *, plan, check_cancelled):
        rng = np.random.default_rng(plan.seed)
        dark = 1.0 - image.mean(axis=2) / 255.0
        stream, joint, step = MomentStream(), [], plan.joint_stride
        for _ in range(plan.n_samples):
            check_cancelled()
            noise = rng.normal(0, 0.05, dark.shape)
            p = 1.0 / (1.0 + np.exp(-20.0 * (dark + noise - self.threshold)))
            probs = np.zeros((max(len(self.classes), 2), *p.shape))
            probs[self.outputs[0]] += 1.0 - p
            probs[self.outputs[1]] += p
            if plan.fitted_calibration is not None:
                log = apply_calibration(
                    np.log(probs + 1e-30).reshape(len(probs), -1), plan.fitted_calibration
                )
                probs = softmax(log, axis=0).reshape(probs.shape)
            stream.add(probs)
            if step:
                start = 0 if plan.joint_picks else step // 2
                joint.append(probs[:, start::step, start::step])
        moments = replace(stream.moments(), extras=self._extras(dark, rng, plan))
        return ImageOutputs(moments, np.stack(joint).astype(np.float32) if joint else None)

    def check_sampling(self, plan):
        assert plan.n_samples >= 1

    def write_onnx(self, path):
        path.write_text("a fake")
        return 4

    def embed(self, image, *, check_cancelled):
        return image[::8, ::8].transpose(2, 0, 1).astype(np.float32)

    def _extras(self, dark, rng, plan):
        return {name: rng.random(dark.shape, np.float32) for name in plan.extras}

    def train(self, data, *, plan, on_step, check_cancelled, kept=None):
        self.seen = list(data.examples)
        self.trained.append(self)
        self.data, self.plan, self.kept = data, plan, kept
        values = {0: [], 1: []}
        for example in data.examples:
            dark = 1.0 - example.image.mean(axis=2) / 255.0
            for k, found in values.items():
                found.extend(dark[example.target == k])
        steps = plan.epochs or 3
        for step in range(1, steps + 1):
            check_cancelled()
            on_step(TrainStep(step, steps, 1.0 / step))
        if values[0] and values[1]:
            self.threshold = (np.mean(values[0]) + np.mean(values[1])) / 2
        return TrainOutcome(tuple(1.0 / s for s in range(1, steps + 1)), 0.0)

    def estimate_training_seconds(self, data, *, plan):
        return {"slow": 1000.0}.get(self.preset, 1.0)

    def free_memory(self):
        self.freed = getattr(self, "freed", 0) + 1

    def save(self, path, *, facts):
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"threshold": self.threshold, "preset": self.preset, "facts": dict(facts)}
        path.write_text(json.dumps({**content, "classes": self.classes}))


class FakeSegmenters:
    """A SegmenterFactory of fakes."""

    def __init__(self):
        self.trained = []

    def build(self, preset, *, classes, seed, weights="pretrained"):
        built = FakeSegmenter(preset, classes)
        built.trained = self.trained
        return built

    def free_memory(self):
        pass

    def candidates(self):
        return ("slow", "fast")

    def load(self, path, *, classes, outputs=None):
        stored = json.loads(path.read_text())
        if outputs is None and tuple(stored["classes"]) != tuple(classes):
            raise ModelError("other classes")
        loaded = FakeSegmenter(stored["preset"], classes, stored["threshold"], outputs)
        loaded.trained = self.trained
        return loaded

    def fit_cost(self, examples, *, seed, check_cancelled):
        mean = np.mean([example.spent for example in examples])
        return _Told(mean), np.full(len(examples), mean)

    def fit_head(self, examples, seed, check_cancelled):
        from napari_active_seg.learning.classification import fit_image_head

        return fit_image_head(examples, seed, check_cancelled)

    def ensemble(self, members):
        return members[0]


class _Told:
    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, views):
        return np.full(len(views), self.seconds)
