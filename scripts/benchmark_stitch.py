"""Measures stitching against ground truth and OpenCV's Stitcher: geometry, offsets, gains, PSNR, speed and memory.

    python scripts/benchmark_stitch.py --dev DEV_CLIPS --sets STITCH_SETS --out RESULTS [--frames 40]

Rigs with known homographies, gains and offsets are cut from the wide clips in DEV_CLIPS. STITCH_SETS has folders of
overlapping pictures, and bled3cam_{left,mid,right}.mp4. The results go to RESULTS/stitch.json, with a PNG of each
panorama. `--only` chooses some of: the clips' and sets' names, random, moving, carried, filling, bridging, bled3cam,
memory.
"""

import argparse
import functools
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from benchmarking.panoramas import opencv_stitcher, psnr, psnr_to_wide
from benchmarking.rigs import SIZE, calibration_errors, corner_error, first_frames, random_rig, shoot, two_poses

from vdiff_jax import media, weights
from vdiff_jax.errors import VdiffError
from vdiff_jax.stitching import learned
from vdiff_jax.stitching.bridge import flow_bridge
from vdiff_jax.stitching.calibrate_rig import calibrate_rig
from vdiff_jax.stitching.panorama import Panorama, PanoramaOptions
from vdiff_jax.stitching.source import FileSource, open_sources, output_frame, output_info
from vdiff_jax.stitching.stabilise import frame_motion
from vdiff_jax.stitching.stitch import stitch

CLIPS = ("cutl.mp4", "vtest.avi", "bedroom.mp4", "highway_frames", "cockatoo.mp4")
GAIN = np.array([0.85, 0.90, 0.95])
LAG = 7  # frames: how much later the second camera starts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dev", type=Path, help="folder of the wide clips, from which rigs are cut")
    parser.add_argument("--sets", type=Path, help="folder of the sets of overlapping pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder for stitch.json and the pictures")
    parser.add_argument("--frames", type=int, default=40, help="frames of a clip (default: 40)")
    parser.add_argument("--rigs", type=int, default=30, help="number of random rigs (default: 30)")
    parser.add_argument("--only", nargs="*", help="names of the measurements to run (default: all)")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results: dict = {"rigs": {}, "sets": {}}

    def chosen(name: str) -> bool:
        return options.only is None or name in options.only

    def add(group: dict, name: str, value) -> None:
        group[name] = value
        print(name, json.dumps(value), flush=True)

    if options.dev:
        for name in filter(chosen, CLIPS):
            add(results["rigs"], name, measure_rig(options.dev / name, options.frames, options.out))
        if chosen("random"):
            add(results, "random", measure_random_rigs(options.dev, options.rigs))
        for name, measure in (("moving", moving), ("carried", carried), ("filling", filling), ("bridging", bridging)):
            if chosen(name):
                add(results, name, {clip: measure(options.dev / clip, options.frames) for clip in CLIPS[:4]})
    if options.sets:
        for folder in sorted(path for path in options.sets.iterdir() if path.is_dir() and chosen(path.name)):
            add(results["sets"], folder.name, stitch_pictures(folder, options.out))
        for name, measure in (("bled3cam", bled), ("memory", memory)):
            if chosen(name):
                add(results, name, measure(options.sets, options.out))
    (options.out / "stitch.json").write_text(json.dumps(results, indent=1) + "\n")


def measure_rig(path: Path, count: int, out: Path) -> dict:
    """Stitches two cameras of 640×360 that are cut from a wide clip."""
    wide, rate = first_frames(path, count + LAG)
    poses = two_poses(wide[0].shape[1], wide[0].shape[0])
    lag = min(LAG, len(wide) - 12)
    first = [shoot(frame, poses[0], np.ones(3)) for frame in wide[: len(wide) - lag]]
    second = [shoot(frame, poses[1], GAIN) for frame in wide[lag:]]
    begun = time.perf_counter()
    made = Panorama(open_sources([np.stack(first), np.stack(second)], [rate] * 2), PanoramaOptions())
    prepared = time.perf_counter() - begun
    frames = list(made.frames())
    calibration, report = made.calibration, made.report
    truth = np.linalg.solve(poses[0], poses[1])
    found = np.linalg.solve(calibration.homographies[0, 0], calibration.homographies[0, 1])
    result = {
        "corner_error_px": round(corner_error(found, truth), 4),
        "offset_error_frames": round(abs(float(calibration.offsets[1]) * rate - lag), 3),
        "gain_error": round(float(np.abs(calibration.gains[1] * GAIN - 1).max()), 4),
        "prepare_seconds": round(prepared, 2),
        "compose_frames_per_second": round(report["frames_per_second"], 2),
        "canvas_jitter_px": report["metrics"]["stability"],
        "alignment": report["metrics"]["alignment"],
    }
    start = lag
    last = min(len(frames), len(wide) - start) - 1
    shown = [0, last // 2, min(last, len(first) - start - 1)]
    truths = [wide[start + index] for index in shown]
    result["psnr"] = round(float(np.mean([psnr_to_wide(frames[i], t) for i, t in zip(shown, truths)])), 2)
    pairs = [(first[start + index], second[index]) for index in range(min(len(frames), len(first) - start))]
    result["opencv"] = opencv_stitcher(pairs, shown, truths)
    cv2.imwrite(str(out / f"rig_{path.stem}.png"), frames[len(frames) // 2][..., ::-1])
    return result


def measure_random_rigs(folder: Path, count: int) -> dict:
    """Calibrates random rigs of two to four cameras; returns the median, 90th percentile and maximum of the errors."""
    rigs = []
    for seed in range(count):
        name = CLIPS[seed % len(CLIPS)]
        wide, rate = first_frames(folder / name, 36)
        rig = random_rig(wide, seed)
        entry = {"clip": name, **rig.description}
        try:
            found = calibrate_rig(open_sources(rig.clips, [rate] * len(rig.clips)))[0]
            entry |= calibration_errors(rig, found, rate)
        except VdiffError as error:
            entry["failed"] = str(error)
        print(json.dumps(entry), flush=True)
        rigs.append(entry)
    stitched = [entry for entry in rigs if "failed" not in entry]
    result: dict = {"rigs": count, "stitched": len(stitched)}
    for name in ("corner_error_px", "corner_error_on_canvas_px", "offset_error_frames", "gain_error"):
        values = [entry[name] for entry in stitched]
        result[name] = [round(float(each), 4) for each in (np.median(values), np.quantile(values, 0.9), max(values))]
    return result


def moving(path: Path, count: int) -> dict:
    """Stitches two cameras, of which the second pans against the first by 1.2 pixels a frame."""
    wide, rate = first_frames(path, count)
    still, start = two_poses(wide[0].shape[1], wide[0].shape[0])
    poses = [np.array([[1, 0, -1.2 * n], [0, 1, 0.3 * n], [0, 0, 1]]) @ start for n in range(len(wide))]
    clips = [np.stack([shoot(frame, still, np.ones(3)) for frame in wide])]
    clips.append(np.stack([shoot(frame, pose, GAIN) for frame, pose in zip(wide, poses)]))
    made = Panorama(open_sources(clips, [rate] * 2), PanoramaOptions())
    frames = sum(1 for _ in made.frames())
    errors = [
        corner_error(np.linalg.solve(*found), np.linalg.solve(still, poses[min(len(poses) - 1, round(moment * rate))]))
        for moment, found in zip(made.calibration.times, made.calibration.homographies)
    ]
    return {
        "corner_error_px": [round(float(each), 4) for each in (np.median(errors), max(errors))],
        "frames": frames,
        "compose_frames_per_second": round(made.report["frames_per_second"], 2),
        **made.report["metrics"],
    }


def carried(path: Path, count: int) -> dict:
    """Stabilises two cameras that shake together; returns the shake of a camera and of the panorama."""
    wide, rate = first_frames(path, count)
    rng = np.random.default_rng(1)
    path = cv2.GaussianBlur(rng.normal(0, 1, (len(wide), 2)), (1, 3), 0) * [9, 7]
    moved = [np.array([[1, 0, x], [0, 1, y], [0, 0, 1]]) for x, y in path]
    poses = two_poses(wide[0].shape[1], wide[0].shape[0])
    clips = [
        np.stack([shoot(frame, by @ pose, gain) for frame, by in zip(wide, moved)])
        for pose, gain in zip(poses, (np.ones(3), GAIN))
    ]
    made = Panorama(open_sources(clips, [rate] * 2), PanoramaOptions(crop=True, steady=True))
    frames = list(made.frames())
    found = [np.linalg.solve(*each) for each in made.calibration.homographies]
    errors = [corner_error(each, np.linalg.solve(*poses)) for each in found]
    return {
        "shake_px": {name: round(_shake(clip), 2) for name, clip in (("camera", clips[0]), ("panorama", frames))},
        "corner_error_px": [round(float(each), 4) for each in (np.median(errors), max(errors))],
        "compose_frames_per_second": round(made.report["frames_per_second"], 2),
    }


def _shake(frames: Sequence[np.ndarray]) -> float:
    """The mean change of the picture's velocity from frame to frame, pixels."""
    greys = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
    steps = [frame_motion(one, other, 1.0)[:2, 2] for one, other in itertools.pairwise(greys)]
    return float(np.linalg.norm(np.diff(steps, axis=0), axis=1).mean())


def filling(path: Path, count: int) -> dict:
    """Fills unseen pixels by diffusion and by the network; returns their PSNR in the first and the last frame."""
    wide, rate = first_frames(path, count)
    poses = two_poses(wide[0].shape[1], wide[0].shape[0])
    clips = [np.stack([shoot(frame, pose, np.ones(3)) for frame in wide]) for pose in poses]
    result = {}
    for name, network in (("black", None), ("diffusion", None), ("network", "base")):
        begun = time.perf_counter()
        made = stitch(clips, layout="panorama", rates=[rate] * 2, fill=name != "black", weights=network)
        if name == "black":
            across = np.array(made.report["inputs"][0]["homography"]) @ np.linalg.inv(poses[0])
            size = made.clip.shape[2:0:-1]
            truths = [cv2.warpPerspective(frame, across, size, flags=cv2.INTER_AREA) for frame in wide]
            known = cv2.warpPerspective(np.ones(wide[0].shape[:2], np.uint8), across, size, flags=cv2.INTER_NEAREST)
            gap = (known > 0) & (made.clip[0].max(axis=-1) == 0)
            continue
        ends = [psnr(made.clip[index][gap], truths[index][gap]) for index in (0, len(made.clip) - 1)]
        result[name] = {"psnr": [round(each, 2) for each in ends], "seconds": round(time.perf_counter() - begun, 1)}
    return result


def bridging(path: Path, count: int) -> dict:
    """Predicts three left-out frames by optical flow, network and cross-fade; returns PSNR and seconds a frame."""
    frames = [cv2.resize(frame, SIZE, interpolation=cv2.INTER_AREA) for frame in first_frames(path, count)[0][:21]]
    network = functools.partial(learned.bridge, weights.load("base"))
    result = {}
    for name, bridge in (("flow", flow_bridge), ("network", network), ("cross-fade", cross_fade)):
        begun, scores = time.perf_counter(), []
        for start in range(0, len(frames) - 4, 8):
            made = bridge(frames[start], frames[start + 4], 3)
            scores += [psnr(frame, frames[start + 1 + index]) for index, frame in enumerate(made)]
        seconds = (time.perf_counter() - begun) / len(scores)
        result[name] = {"psnr": round(float(np.mean(scores)), 2), "seconds": round(seconds, 3)}
    return result


def cross_fade(first: np.ndarray, second: np.ndarray, count: int) -> list[np.ndarray]:
    """Returns frames that dissolve from one into the other."""
    shares = np.arange(1, count + 1) / (count + 1)
    return [cv2.addWeighted(first, 1 - share, second, share, 0) for share in shares]


def memory(sets: Path, out: Path) -> dict:
    """Returns the command's peak memory in MiB for 100 to 3,000 frames of two cameras, played forward and backward."""
    result = {}
    for count in (100, 300, 1000, 3000):
        paths = []
        for name in ("left", "mid"):
            source = FileSource(sets / f"bled3cam_{name}.mp4", name)
            frames = [frame for _, frame in source.frames()]
            info = output_info([source], source.size, source.rate)
            paths.append(str(out / f"memory_{name}.mp4"))
            with media.open_writer(paths[-1], info, options={"preset": "ultrafast"}) as writer:
                for index, frame in enumerate(itertools.islice(itertools.cycle(frames + frames[::-1]), count)):
                    writer.write(output_frame(frame, info, index))
        report = out / "memory.json"
        command = [sys.executable, "-m", "vdiff_jax.infer", "stitch", *paths, "-o", str(out / "memory.mp4")]
        subprocess.run([*command, "--layout", "panorama", "--report", str(report)], check=True)
        written = json.loads(report.read_text())
        result[written["frames"]] = round(written["peak_memory_bytes"] / 2**20, 1)
    return result


def stitch_pictures(folder: Path, out: Path) -> dict:
    """Stitches a set of overlapping pictures."""
    paths = sorted(path for path in folder.iterdir() if media.is_picture(path))
    try:
        made = stitch([str(path) for path in paths], layout="panorama")
    except VdiffError as error:
        return {"error": str(error)}
    cv2.imwrite(str(out / f"set_{folder.name}.png"), made.clip[0][..., ::-1])
    status, _ = cv2.Stitcher.create(cv2.Stitcher_PANORAMA).stitch([cv2.imread(str(path)) for path in paths])
    return {
        "canvas": made.report["projection"]["canvas"],
        "kind": made.report["projection"]["kind"],
        "residual_px": round(made.report["residual_pixels"], 3),
        "alignment": made.report["metrics"]["alignment"],
        "gains": [entry["gain_rgb"] for entry in made.report["inputs"]],
        "opencv_stitches_it": status == cv2.Stitcher_OK,
    }


def bled(sets: Path, out: Path) -> dict:
    """Stitches three views of a 360° video with known yaw and gain (Fabio Casati, CC-BY 3.0).

    The PNG shows six moments, in which a person walks across the seams.
    """
    paths = [str(sets / f"bled3cam_{name}.mp4") for name in ("left", "mid", "right")]
    made = stitch(paths, layout="panorama")
    strip = np.vstack([made.clip[index] for index in (0, 68, 74, 78, 82, 89)])
    cv2.imwrite(str(out / "bled3cam.png"), strip[..., ::-1])
    gains = np.array([entry["gain"] for entry in made.report["inputs"]]) * [1.0, 0.9, 1.08]
    focal = made.report["projection"]["focal"]
    return {
        "gain_error": round(float(np.abs(gains / gains[0] - 1).max()), 4),
        "focal_error": round(abs(focal / (192 / np.tan(np.deg2rad(35))) - 1), 4),
        "frames": len(made.clip),
        "frames_per_second": round(made.report["frames_per_second"], 2),
        "seam": made.report["seam"],
        "alignment": made.report["metrics"]["alignment"],
    }


if __name__ == "__main__":
    main()
