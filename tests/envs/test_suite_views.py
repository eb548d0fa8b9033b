"""What the suite promises of every image: the object is in it, where it is, also in varied scenes."""

from typing import Any

import numpy as np
import pytest

import envs
from tests.envs.suite_tools import ALL, blind, make, pixel_of


def geoms_of_the_object(task: Any) -> np.ndarray:
    """Ids of the geoms of the body that the privileged state describes."""
    where = task.object_state()[:3]
    distance = np.linalg.norm(task.data.xpos - where, axis=1)
    assert distance.min() == 0.0
    return np.flatnonzero(task.model.geom_bodyid == distance.argmin())


def pixels_of_the_object(task: Any, camera: str) -> np.ndarray:
    """(row, column) of the pixels that look otherwise when the object is not drawn, (n, 2)."""
    geoms = geoms_of_the_object(task)
    seen = task.observe((camera,))[f"{camera}_image"].astype(int)
    groups = task.model.geom_group[geoms].copy()
    task.model.geom_group[geoms] = 5
    hidden = task.observe((camera,))[f"{camera}_image"].astype(int)
    task.model.geom_group[geoms] = groups
    return np.argwhere(np.abs(seen - hidden).max(axis=-1) > 12)


@ALL
def test_every_camera_sees_the_object_at_reset(env_id: str) -> None:
    env = blind(env_id, image_size=224, wrist_camera=True)
    for seed in range(20):
        env.reset(seed=seed)
        for camera in env.unwrapped.camera_names:
            assert len(pixels_of_the_object(env.unwrapped, camera)) > 0, (camera, seed)
    env.close()


def test_an_object_that_can_never_be_seen_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    env = blind("s2robot/PickCube-v0")
    task = env.unwrapped

    def behind_the_arm(rng: np.random.Generator) -> None:
        task.data.joint("cube").qpos[:3] = [0.2, -0.8, 0.02]

    monkeypatch.setattr(task, "place_objects", behind_the_arm)
    with pytest.raises(RuntimeError, match="saw the object in none of 1000 starts"):
        env.reset(seed=0)
    env.close()


@ALL
def test_starts_do_not_depend_on_which_cameras_there_are(env_id: str) -> None:
    with_hand, without = blind(env_id, wrist_camera=True), blind(env_id, wrist_camera=False)
    for seed in range(20):
        with_hand.reset(seed=seed)
        without.reset(seed=seed)
        np.testing.assert_array_equal(with_hand.unwrapped.get_state(), without.unwrapped.get_state())
    with_hand.close()
    without.close()


@ALL
@pytest.mark.parametrize("image_size", [(224, 224), (120, 200)])
def test_fixed_cameras_show_the_object_where_it_is(env_id: str, image_size: tuple[int, int]) -> None:
    env = blind(env_id, image_size=image_size)
    task = env.unwrapped
    for seed in range(3):
        env.reset(seed=seed)
        for camera in set(task.camera_names) - {"robot0_eye_in_hand"}:
            pixels = pixels_of_the_object(task, camera)
            assert len(pixels) > 0
            off = pixels.mean(axis=0) - pixel_of(task, camera, task.object_state()[:3])
            assert np.abs(off).max() < 0.02 * max(image_size)
    env.close()


@ALL
def test_every_camera_can_be_moved_and_the_wrist_view_left_out(env_id: str) -> None:
    env = make(env_id, camera_distance=1.4, wrist_camera=False)
    task = env.unwrapped
    obs, _ = env.reset(seed=0)
    assert task.camera_names == ("agentview",) and "robot0_eye_in_hand_image" not in obs
    distance = np.linalg.norm(task.data.camera("agentview").xpos - task.data.body("workspace").xpos)
    assert distance == pytest.approx(1.4)
    env.close()


@ALL
def test_a_varied_scene_looks_different_moves_the_same_and_is_part_of_the_state(env_id: str) -> None:
    plain, varied, other = blind(env_id), blind(env_id, vary_scene=True), blind(env_id, vary_scene=True)
    expert, looks = envs.make_expert(env_id), []
    for seed in range(3):
        plain.reset(seed=seed)
        varied.reset(seed=seed)
        other.reset(seed=seed + 50)
        for _ in range(3):
            obs, *_ = plain.step(expert(plain))
            got, *_ = varied.step(expert(varied))
            np.testing.assert_array_equal(got["object"], obs["object"])
        looks.append(varied.unwrapped.observe()["agentview_image"].astype(int))
        assert np.abs(looks[-1] - plain.unwrapped.observe()["agentview_image"]).mean() > 2
        other.unwrapped.set_state(varied.unwrapped.get_state())
        np.testing.assert_array_equal(other.unwrapped.observe()["agentview_image"], looks[-1])
        row, column = pixel_of(varied.unwrapped, "agentview", got["object"][:3])
        assert 0.1 < row / looks[-1].shape[0] < 0.9 and 0.1 < column / looks[-1].shape[1] < 0.9
    assert np.abs(looks[0] - looks[1]).mean() > 2 and np.abs(looks[1] - looks[2]).mean() > 2
    for env in (plain, varied, other):
        env.close()


def test_a_varied_scene_shows_textures_and_another_cube() -> None:
    env = blind("s2robot/PickCube-v0", vary_scene=True)
    model, shown, reds = env.unwrapped.model, set(), set()
    for seed in range(30):
        env.reset(seed=seed)
        surfaces = [model.material(name).id for name in ("table", "mat")]
        shown |= set(model.mat_texid[surfaces].max(axis=1).tolist())
        reds.add(tuple(model.mat_rgba[model.material("cube").id]))
    assert shown == {-1, *range(model.ntex)} and model.ntex == 4
    assert len(reds) == 30


@ALL
def test_the_wrist_camera_sees_the_part_that_is_approached(env_id: str) -> None:
    env = blind(env_id, image_size=128, wrist_camera=True)
    task = env.unwrapped
    for seed in range(3):
        env.reset(seed=seed)
        expert = envs.make_expert(env_id)
        for _ in range(12):
            env.step(expert(env))
        row, column = pixel_of(task, "robot0_eye_in_hand", task.object_state()[:3])
        assert 0 <= row < 128 and 0 <= column < 128
        pixels = pixels_of_the_object(task, "robot0_eye_in_hand")
        assert np.abs(pixels.mean(axis=0) - [row, column]).max() < 8
    env.close()
