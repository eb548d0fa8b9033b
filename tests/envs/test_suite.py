"""What the suite promises of every task: visible, solvable, plausible, with a reward that leads there."""

import numpy as np
import pytest
from suite_tools import ALL, blind, make, pixel_of

import envs

SEEDS = range(2000, 2004)
MAX_OVERLAP_M = 1e-3


def geoms_of_the_object(task):
    """Ids of the geoms of the body that the privileged state describes."""
    where = task.object_state()[:3]
    distance = np.linalg.norm(task.data.xpos - where, axis=1)
    assert distance.min() == 0.0
    return np.flatnonzero(task.model.geom_bodyid == distance.argmin())


@ALL
@pytest.mark.parametrize("image_size", [(224, 224), (120, 200)])
def test_fixed_cameras_see_the_object_at_reset_and_where_it_is(env_id, image_size):
    env = blind(env_id, image_size=image_size)
    task = env.unwrapped
    for seed in range(3):
        env.reset(seed=seed)
        geoms = geoms_of_the_object(task)
        for camera in set(task.camera_names) - {"robot0_eye_in_hand"}:
            key = f"{camera}_image"
            seen = task.observe((camera,))[key].astype(int)
            groups = task.model.geom_group[geoms].copy()
            task.model.geom_group[geoms] = 5  # not drawn
            hidden = task.observe((camera,))[key].astype(int)
            task.model.geom_group[geoms] = groups
            pixels = np.argwhere(np.abs(seen - hidden).max(axis=-1) > 12)
            assert len(pixels) > 0
            off = pixels.mean(axis=0) - pixel_of(task, camera, task.object_state()[:3])
            assert np.abs(off).max() < 0.02 * max(image_size)
    env.close()


@ALL
def test_the_expert_solves_it_without_overlap_of_bodies(env_id):
    env = blind(env_id)
    for seed in SEEDS:
        env.reset(seed=seed)
        expert, done, info = envs.make_expert(env_id, seed=seed), False, {}
        while not done:
            *_, terminated, truncated, info = env.step(expert(env))
            done = terminated or truncated
            assert (env.unwrapped.data.contact.dist > -MAX_OVERLAP_M).all()
        assert info["success"], seed
    env.close()


@ALL
def test_the_start_is_at_rest_and_nothing_overlaps(env_id):
    env = blind(env_id)
    task = env.unwrapped
    for seed in range(20):
        env.reset(seed=seed)
        start = task.object_state()[:3]
        assert (task.data.contact.dist > -1e-4).all()
        for _ in range(3):
            env.step(np.zeros(7, np.float32))
        np.testing.assert_allclose(task.object_state()[:3], start, atol=5e-4)


@ALL
def test_the_dense_reward_rises_to_one_and_the_sparse_one_says_only_success(env_id):
    dense, sparse = blind(env_id, reward_type="dense"), blind(env_id)
    expert = envs.make_expert(env_id)
    dense.reset(seed=1)
    sparse.reset(seed=1)
    rewards, terminated = [], False
    while not terminated:
        action = expert(dense)
        _, reward, terminated, _, info = dense.step(action)
        assert sparse.step(action)[1] == float(info["success"])
        rewards.append(reward)
    assert all(0.0 <= reward <= 0.9 for reward in rewards[:-1]) and rewards[-1] == 1.0
    quarters = [np.mean(part) for part in np.array_split(rewards, 4)]
    assert quarters == sorted(quarters)


def test_an_unknown_reward_type_is_refused():
    with pytest.raises(ValueError, match="reward_type is 'shaped'; it must be 'sparse' or 'dense'"):
        make("s2robot/PickCube-v0", reward_type="shaped")


@ALL
def test_every_camera_can_be_moved_and_the_wrist_view_left_out(env_id):
    env = make(env_id, camera_distance=1.4, wrist_camera=False)
    task = env.unwrapped
    obs, _ = env.reset(seed=0)
    assert task.camera_names == ("agentview",) and "robot0_eye_in_hand_image" not in obs
    distance = np.linalg.norm(task.data.camera("agentview").xpos - task.data.body("workspace").xpos)
    assert distance == pytest.approx(1.4)
    env.close()


@ALL
def test_a_varied_scene_looks_different_moves_the_same_and_is_part_of_the_state(env_id):
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


@ALL
def test_each_class_documents_itself(env_id):
    doc = envs.TASKS[env_id].env.__doc__
    for heading in ("Description", "Starting state", "Episode end", "Arguments"):
        assert f"    ## {heading}\n" in doc
