"""What goes into `repair` comes out: files of random kinds, made by FFmpeg's own program, and the check itself."""

import dataclasses
import sys
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import vdiff_jax
from vdiff_jax.media import open_reader


@pytest.fixture(scope="module")
def scripts():
    """`scripts/passthrough.py` and the modules beside it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend("scripts")
        import passthrough
        from fidelity import contents, differences, kinds, random_files

        modules = {"passthrough": passthrough, "contents": contents, "differences": differences}
        yield modules | {"random": random_files, "kinds": kinds}
    for name in ("passthrough", "fidelity", "benchmarking"):
        for module in [each for each in sys.modules if each == name or each.startswith(f"{name}.")]:
            del sys.modules[module]


def test_nothing_is_lost_from_random_files_without_a_warning(scripts, tmp_path_factory):
    folder, numbers = tmp_path_factory.mktemp("random"), count()
    choices = scripts["random"].CHOICES
    recipes = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in choices.items()})

    @settings(
        max_examples=20,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],  # shrinking a failure takes minutes
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(recipe=recipes, ending=st.sampled_from([".mkv", ".mp4"]))
    def check(recipe, ending):
        name = str(next(numbers))
        source = scripts["random"].make_file(scripts["random"].consistent(recipe), folder, name)
        outcome = scripts["passthrough"].pass_through(source, folder / f"{name}.result{ending}")
        assert outcome.error is None
        assert outcome.rows
        assert outcome.unexplained() == []

    check()


@pytest.fixture(scope="module")
def streams(scripts, tmp_path_factory):
    """The streams of a file with sound and subtitles."""
    recipe = {name: values[0] for name, values in scripts["random"].CHOICES.items()}
    recipe |= {"audio": "aac", "subtitles": True, "chapters": True, "colours": "bt709", "rotation": 90}
    path = scripts["random"].make_file(recipe, tmp_path_factory.mktemp("one"), "one")
    return scripts["contents"].read_contents(path)


def kinds(scripts, source, result):
    return {d.kind for row in scripts["differences"].matched(source, result) for d in row.differences}


def changed(streams, kind, **values):
    """The streams, with other values in those of a kind."""
    return [dataclasses.replace(stream, **values) if stream.kind == kind else stream for stream in streams]


def test_the_check_finds_what_is_lost(scripts, streams):
    video, sound, text, _, chapters = streams
    assert [stream.kind for stream in streams] == ["video", "audio", "subtitle", "file", "chapters"]
    assert kinds(scripts, streams, streams) == set()
    assert kinds(scripts, streams, [video, text]) == {"audio", "file", "chapters"}
    assert kinds(scripts, streams, changed(streams, "audio", codec="opus")) == {"codec"}
    for tag, value in (("title", "other"), ("language", "fra"), ("disposition", 8)):
        assert kinds(scripts, streams, changed(streams, "audio", tags=sound.tags | {tag: value})) == {tag}
    tagged = changed(streams, "file", tags={"my_tag": "own"})
    assert kinds(scripts, tagged, streams) == {"file tags"}
    later = [time + 0.02 for time in sound.times]
    assert kinds(scripts, streams, changed(streams, "audio", times=later)) == {"time"}
    other = [sound.prints[0] ^ 1, *sound.prints[1:]]
    assert kinds(scripts, streams, changed(streams, "audio", prints=other)) == {"bytes"}
    fewer = {"times": video.times[:-1], "prints": video.prints[:-1]}
    assert kinds(scripts, streams, changed(streams, "video", **fewer)) == {"frames"}
    other = [*video.prints[:5], 1 - video.prints[5], *video.prints[6:]]
    assert kinds(scripts, streams, changed(streams, "video", prints=other)) == {"pictures"}
    for tag, value in (("rotation", None), ("primaries", 9), ("range", 2), ("size", (64, 50))):
        assert kinds(scripts, streams, changed(streams, "video", tags=video.tags | {tag: value})) == {tag}
    assert chapters.times == pytest.approx([0], abs=0.001)


def test_a_difference_is_explained_only_by_a_warning_of_its_kind(scripts):
    difference = scripts["differences"].Difference("field order", "tff became progressive")
    assert difference.explained(["out.webm does not keep: the field order of interlaced video; .mkv keeps it"])
    assert not difference.explained(["out.webm does not keep: the transparency"])
    assert not scripts["differences"].Difference("frames", "5 frames became 4").explained([])


def test_times_go_on_after_a_jump(scripts):
    times, jumps = scripts["contents"].continued(
        [*np.arange(20) / 25, *np.arange(20) / 25, *(3600 + np.arange(20) / 25)]
    )
    np.testing.assert_allclose(times, np.arange(60) / 25, atol=1e-9)
    assert jumps == [20, 40]


def test_library_reports_name_what_is_lost(make_clip, tmp_path):
    clip = make_clip("clip.mkv", fmt="yuva420p", count=2)
    report = vdiff_jax.repair(clip.path, tmp_path / "out.mp4", task="denoise", sigma=0)
    assert [("transparency" in warning) for warning in report["warnings"]] == [True]


@pytest.mark.parametrize("kind", ["field_coded_mp4", "field_coded_mkv"])
def test_fields_with_packets_of_their_own_are_read_as_frames(scripts, tmp_path, caplog, kind):
    path = scripts["kinds"].make_kind(kind, tmp_path)
    with open_reader(path) as reader:
        info, times = reader.info, [float(frame.pts * reader.info.time_base) for frame in reader]
    assert (info.interlaced, info.rate, info.frames) == (True, 25, 40)
    assert times == pytest.approx(np.arange(40) / 25)
    assert caplog.text == ""
