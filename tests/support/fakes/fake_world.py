"""What the fake service knows: corrections, runs that go on in a thread, versions, a champion.

It hears pitch instead of faults: each label owns an octave or so. A crack is what is dark.
"""

import base64
import hashlib
import io
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from PIL import Image

from data.domains.sections import LimitSpec
from data.errors import ClipError
from data.media.audio.recording import decode

LABELS = {
    "faults": ["electrical", "fluid", "mechanical", "normal"],
    "keywords": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "cracks": ["no crack", "crack"],
}
MODALITIES = {"faults": "audio", "keywords": "audio", "cracks": "image"}
TITLES = {"faults": "Machine faults", "keywords": "Spoken digits", "cracks": "Cracks"}
DESCRIPTIONS = {
    "faults": "Which kind of trouble does a machine's sound point to?",
    "keywords": "Which digit was spoken?",
    "cracks": "Is there a crack?",
}
STEPS = {
    "teach": ["collect clips", "embed corrections", "fit the head", "sit the exam", "promote"],
    "full": ["collect clips", "start workers", "train", "sit the exam", "promote"],
}
MAX_DURATION_S = 60
RATE_HZ = 16_000


class Problem(Exception):
    def __init__(self, status: int, title: str, detail: str, retry_after_s: int = 0) -> None:
        self.status, self.title, self.detail = status, title, detail
        self.headers = {"Retry-After": str(retry_after_s)} if retry_after_s else {}


def now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass
class World:
    step_s: float
    hiccups: int = 0
    busy: int = 0
    ending: int = 0  # live streams whose replica ends behind their first second
    log_is_away: bool = False  # the audit log
    requests_per_minute: int | None = None
    content_s: dict[str, float] = field(default_factory=dict)  # clip -> how long its bytes take
    drop_after: int = 0  # events after which an event stream breaks off, once
    feedback: dict[str, dict[str, Any]] = field(default_factory=dict)
    masks: dict[str, bytes] = field(default_factory=dict)  # by receipt
    clips: dict[str, dict[str, Any]] = field(default_factory=dict)  # by sha256: fake_clips.py
    predictions: dict[int, dict[str, Any]] = field(default_factory=dict)  # that are kept
    uploads: dict[str, bytes] = field(default_factory=dict)  # of recordings, in parts
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)  # that listen to them
    runs: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {d: [] for d in LABELS})
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    versions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for domain in LABELS:
            shipped = version_row("1", "full", "shipped", 0.871)
            self.versions[domain] = [{**shipped, "aliases": ["champion"]}]

    def champion(self, domain: str) -> dict[str, Any]:
        return next(v for v in self.versions[domain] if "champion" in v["aliases"])

    def crown(self, domain: str, number: str) -> dict[str, Any]:
        champion = self.champion(domain)
        for row in self.versions[domain]:
            row["aliases"] = []
        champion["aliases"] = ["previous"]
        crowned = next(v for v in self.versions[domain] if v["version"] == number)
        crowned["aliases"] = ["champion"]
        return crowned

    def say(self, run: dict[str, Any], kind: str, **detail: Any) -> None:
        lines = self.events[run["id"]]
        lines.append({"id": len(lines) + 1, "at": now(), "kind": kind, "detail": detail})


def version_row(number: str, mode: str, verdict: str, macro_f1: float) -> dict[str, Any]:
    return {
        "version": number,
        "digest": hashlib.sha256(number.encode()).hexdigest(),
        "aliases": [],
        "created": now(),
        "mode": mode,
        "parent": None,
        "snapshot": None,
        "metrics": {"macro_f1": macro_f1, "accuracy": macro_f1 + 0.01},
        "verdict": verdict,
        "reasons": [],
    }


def hear(domain: str, raw: bytes) -> dict[str, Any]:
    """Probabilities from the strongest frequency: each label owns an octave or so."""
    try:
        samples, rate = soundfile.read(io.BytesIO(raw), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError:
        samples, rate = decoded(raw), RATE_HZ
    mono = samples.mean(axis=1)
    spectrum = np.abs(np.fft.rfft(mono))
    pitch_hz = float(spectrum.argmax()) * rate / max(len(mono), 1)
    labels = LABELS[domain]
    centre = np.log2(max(pitch_hz, 60) / 60)
    logits = -np.abs(np.arange(len(labels)) * 1.8 - centre) * 1.6
    probabilities = np.exp(logits) / np.exp(logits).sum()
    return {
        "probabilities": probabilities,
        "label": labels[int(probabilities.argmax())],
        "confidence": float(probabilities.max()),
        "unknown": bool(np.abs(mono).max() < 0.01),
        "duration_s": len(mono) / rate,
        "rate": rate,
    }


def decoded(raw: bytes) -> NDArray[np.float32]:
    """What libsndfile does not read, as the microphone's WebM: [n, 1] at RATE_HZ."""
    limits = LimitSpec(max_bytes=20_000_000, max_duration_s=MAX_DURATION_S)
    try:
        return decode(raw, sample_rate_hz=RATE_HZ, limits=limits).samples[:, None]
    except ClipError:
        said = "this is not a recording: it begins with none of the known signs"
        raise Problem(415, "Unsupported clip", said) from None


def see(domain: str, raw: bytes) -> dict[str, Any]:
    try:
        pixels = np.asarray(Image.open(io.BytesIO(raw)).convert("L"))
    except OSError:
        raise Problem(415, "Unsupported clip", "this is not a photograph") from None
    mask = pixels < 90
    chance = 0.9 if mask.any() else 0.1
    out = io.BytesIO()
    Image.fromarray(mask).save(out, "PNG")
    return {
        "probabilities": np.array([1 - chance, chance]),
        "label": LABELS[domain][int(mask.any())],
        "confidence": 0.9,
        "unknown": False,
        "clip": {"width_px": mask.shape[1], "height_px": mask.shape[0], "container": "PNG"},
        "evidence": {
            "mask_png": base64.b64encode(out.getvalue()).decode(),
            "mask_rle": {"size": list(mask.shape), "counts": [mask.size]},
        },
        "measure": {
            "area_percent": 100 * float(mask.mean()),
            "length_px": 96.0,
            "mean_width_px": 4.0,
        },
    }


def perceive(domain: str, raw: bytes) -> dict[str, Any]:
    """What `predict` answers of a clip, less what is the same for all."""
    if MODALITIES[domain] == "image":
        return see(domain, raw)
    heard = hear(domain, raw)
    if heard["duration_s"] > MAX_DURATION_S:
        raise Problem(413, "Too large", f"at most {MAX_DURATION_S} s are accepted")
    clip = {"duration_s": heard["duration_s"], "sample_rate_hz": heard["rate"]}
    return {
        **heard,
        "clip": {**clip, "container": "WAV", "windows": 1},
        "evidence": evidence(domain, heard),
        "measure": None,
    }


def answered(world: World, domain: str, raw: bytes) -> dict[str, Any]:
    """A prediction with its evidence."""
    heard = perceive(domain, raw)
    pairs = zip(LABELS[domain], heard["probabilities"].tolist(), strict=True)
    champion = world.champion(domain)
    return {
        "request_id": "r-1",
        "domain": domain,
        "label": heard["label"],
        "confidence": heard["confidence"],
        "unknown": heard["unknown"],
        "unknown_reason": "too quiet: -90 dBFS" if heard["unknown"] else None,
        "probabilities": dict(sorted(pairs, key=lambda pair: -pair[1])),
        "model": {"version": champion["version"], "digest": champion["digest"]},
        "clip": heard["clip"],
        "evidence": heard["evidence"],
        "measure": heard["measure"],
        "timings_ms": {"prepare": 3.1, "queue": 0.1, "network": 6.4, "total": 9.8},
        "disclaimer": "A hint for a technician, not a diagnosis." if domain == "faults" else "",
    }


def evidence(domain: str, heard: dict[str, Any]) -> dict[str, Any]:
    step_s = 0.08
    starts = np.arange(0, heard["duration_s"], step_s)
    swing = (0.5 + 0.5 * np.sin(starts * 2.2))[:, None]
    scores = swing * heard["probabilities"] + (1 - swing) / len(LABELS[domain])
    return {
        "labels": LABELS[domain],
        "start_s": starts.tolist(),
        "step_s": step_s,
        "scores": scores.tolist(),
    }


def train(world: World, run: dict[str, Any]) -> None:
    """Goes through the motions: steps, epochs for a full retrain, a verdict. A reason with
    "worse" in it makes a challenger that the gate refuses."""
    world.say(run, "queued")
    pause(run, world.step_s)
    if run["state"] == "queued":
        run["state"] = "running"
        world.say(run, "started")
    for number, step in enumerate(STEPS[run["mode"]]):
        if run["state"] != "cancelled":
            message = f"{step}: {12 * number + 5} clips"
            world.say(run, "step", step=step, message=message, fraction=number / 5)
            pause(run, world.step_s)
        for epoch in range(1, 13) if step == "train" else ():
            world.say(
                run,
                "epoch",
                epoch=epoch,
                of=12,
                train_loss=1.4 * 0.8**epoch,
                validation_loss=1.5 * 0.85**epoch + 0.1,
                validation_macro_f1=1 - 0.7 * 0.8**epoch,
            )
            pause(run, world.step_s / 4)
    if run["state"] == "cancelled":
        world.say(run, "finished", state="cancelled", result=None)
    else:
        conclude(world, run["domain"], run)


def pause(run: dict[str, Any], seconds: float) -> None:
    """A cancelled run waits no longer."""
    deadline = time.monotonic() + seconds
    while run["state"] != "cancelled" and time.monotonic() < deadline:
        time.sleep(min(seconds, 0.05))


def conclude(world: World, domain: str, run: dict[str, Any]) -> None:
    if run["options"].get("dry_run"):
        lines = ["4 clips of people", "Nothing was changed: this was a dry run of teach."]
        result: dict[str, Any] = {"dry_run": lines, "message": lines[-1]}
        run.update(state="succeeded", result=result, finished=now())
        world.say(run, "finished", state="succeeded", result=result)
        return
    worse = "worse" in run["reason"]
    before = world.champion(domain)["metrics"]["macro_f1"]
    macro_f1 = before - 0.05 if worse else before + 0.02
    reasons = (
        [f"macro-F1 fell from {before:.3f} to {macro_f1:.3f}; at most 0.020 is allowed"]
        if worse
        else [f"macro-F1 rose from {before:.3f} to {macro_f1:.3f} on the same 108 exam clips"]
    )
    number = str(len(world.versions[domain]) + 1)
    row = version_row(number, run["mode"], "refused" if worse else "promoted", macro_f1)
    world.versions[domain].insert(0, {**row, "reasons": reasons})
    if not worse:
        world.crown(domain, number)
    learn(world, domain, number)
    result = {
        "version": number,
        "digest": row["digest"],
        "promoted": not worse,
        "reasons": reasons,
        "champion": {"macro_f1": before},
        "challenger": row["metrics"],
        "seconds": dict.fromkeys(STEPS[run["mode"]], world.step_s),
    }
    run.update(state="succeeded", result=result, finished=now())
    world.say(run, "verdict", promoted=not worse, reasons=reasons)
    world.say(run, "finished", state="succeeded", result=result)


def learn(world: World, domain: str, version: str) -> None:
    for row in world.feedback.values():
        if row["domain"] == domain and row["state"] == "accepted" and row["version"] is None:
            after = {"label": row["label"], "confidence": 0.93}
            row.update(snapshot="5f0c1e22a9", version=version, after=after)


def domain_status(world: World, domain: str) -> dict[str, Any]:
    champion = world.champion(domain)
    states = [row["state"] for row in world.feedback.values() if row["domain"] == domain]
    return {
        "title": TITLES[domain],
        "champion": champion,
        "replicas": [
            {
                "replica": f"{domain}#{n}x9f2",
                "version": champion["version"],
                "digest": champion["digest"],
                "load_error": None,
                "pid": 4100 + n,
                "swaps": len(world.versions[domain]) - 1,
                "last_swap_s": 0.21,
            }
            for n in range(2)
        ],
        "agree": True,
        "clips": {
            "accepted": states.count("accepted"),
            "quarantined": states.count("quarantined"),
            "rejected": 0,
            "new": states.count("accepted"),
        },
        "running": [run for run in world.runs[domain] if run["state"] in {"queued", "running"}],
    }
