"""The arm: forward and differential kinematics, a pose controller with joint limits, the gripper.

Each action moves a *target* pose by a delta. Damped-least-squares inverse kinematics (Nakamura and
Hanafusa 1986; null space towards the home posture) turns it into target joint angles, and MuJoCo's joint
position servos follow a straight joint path there during the control step. The target is the whole memory
of the controller (8 numbers), and it never runs away from what the arm really does.
"""

import mujoco
import numpy as np

HOME_QPOS = np.array([0.0, -0.1848, 0.0, -2.4967, 0.0, 2.3119, np.pi / 4])  # grip at (0.45, 0, 0.25) m, down
HOME_QUAT_XYZW = np.array([1.0, 0.0, 0.0, 0.0])
MAX_WIDTH_M = 0.08
TARGET_SIZE = 8

POSITION_STEP_M = 0.05  # an action of 1
ROTATION_STEP_RAD = 0.5
FINGER_SPEED_M_S = 0.05  # each finger; Franka Hand's data sheet
GRIP_LEASH_M = 0.01  # how far the fingers' target may be ahead of them; times the servo's gain: grip force
JOINT_LEASH_RAD = np.array([0.03] * 4 + [0.2] * 3)  # the same for the arm: it pushes with a bounded force

JOINT_STEP_RAD = np.array([0.5] * 4 + [0.8] * 3)  # most that a step turns a joint, near singular poses too
JOINT_MARGIN_RAD = 0.06  # targets stay this far from the joint limits, a distance to brake in

# Where the grip point may be sent (m): within reach, and pads above the table when pointing down.
WORKSPACE_LOW = np.array([0.20, -0.45, 0.0105])
WORKSPACE_HIGH = np.array([0.75, 0.45, 0.60])

_SUBSTEPS_PER_SETPOINT = 5
_IK_ITERATIONS = 10
_IK_DAMPING = 1e-4
_IK_NULL_GAIN = 0.2
_IK_TOLERANCE = 1e-4  # m and rad


class Panda:
    """Drives the arm of one model; `target` (7 joint angles in rad, finger position in m) is its state."""

    def __init__(self, model: mujoco.MjModel) -> None:
        self._model = model
        self._scratch = mujoco.MjData(model)  # kinematics of joint angles the arm is not at
        self._site = model.site("grip").id
        self._qpos = np.array([model.joint(f"joint{i}").qposadr[0] for i in range(1, 8)])
        self._dofs = np.array([model.joint(f"joint{i}").dofadr[0] for i in range(1, 8)])
        self._fingers = np.array([model.joint(f"finger_{s}").qposadr[0] for s in ("left", "right")])
        self._arm_ctrl = np.array([model.actuator(f"joint{i}").id for i in range(1, 8)])
        self._finger_ctrl = model.actuator("fingers").id
        limits = np.array([model.joint(f"joint{i}").range for i in range(1, 8)])
        self._low, self._high = limits[:, 0] + JOINT_MARGIN_RAD, limits[:, 1] - JOINT_MARGIN_RAD
        gain = model.actuator_gainprm[self._arm_ctrl, 0]
        # A servo lags behind a moving setpoint by kv/kp; leading the setpoint by as much cancels it.
        self._lead_s = -model.actuator_biasprm[self._arm_ctrl, 2] / gain
        self._jacobian = np.zeros((6, model.nv))
        self.target = np.zeros(TARGET_SIZE)

    def reset(self, data: mujoco.MjData, qpos: np.ndarray) -> None:
        """Puts the arm at joint angles `qpos` (7,) rad, at rest, with the gripper open."""
        data.qpos[self._qpos] = qpos
        data.qpos[self._fingers] = MAX_WIDTH_M / 2
        self.target = np.append(qpos, MAX_WIDTH_M / 2)
        data.ctrl[self._arm_ctrl], data.ctrl[self._finger_ctrl] = qpos, MAX_WIDTH_M / 2

    def pose(self, data: mujoco.MjData) -> tuple[np.ndarray, np.ndarray]:
        """Grip point (3,) m and its rotation matrix (3, 3), both in the world frame."""
        return data.site_xpos[self._site].copy(), data.site_xmat[self._site].reshape(3, 3).copy()

    def quat_xyzw(self, data: mujoco.MjData) -> np.ndarray:
        """Orientation of the grip frame (4,), with the sign that is nearest to the home orientation."""
        quat = np.empty(4)
        mujoco.mju_mat2Quat(quat, data.site_xmat[self._site])
        xyzw = np.roll(quat, -1)
        return xyzw if xyzw @ HOME_QUAT_XYZW >= 0 else -xyzw

    def finger_qpos(self, data: mujoco.MjData) -> np.ndarray:
        """How far each finger is from the middle (2,) m, 0 to 0.04."""
        return data.qpos[self._fingers].copy()

    def step(self, data: mujoco.MjData, action: np.ndarray, substeps: int) -> None:
        """Simulates one control step of `substeps` physics steps under `action` (7,) in [-1, 1]."""
        model, duration_s = self._model, substeps * self._model.opt.timestep
        actual = data.qpos[self._qpos]
        start = actual + np.clip(self.target[:7] - actual, -JOINT_LEASH_RAD, JOINT_LEASH_RAD)
        goal = self._inverse_kinematics(start, action[:3] * POSITION_STEP_M, action[3:6] * ROTATION_STEP_RAD)
        lead = (goal - start) / duration_s * self._lead_s
        finger_start = self.target[7]
        finger_goal = self._finger_goal(data, action[6], duration_s)
        done = 0
        while done < substeps:
            chunk = min(_SUBSTEPS_PER_SETPOINT, substeps - done)
            done += chunk
            fraction = done / substeps
            setpoint = start + fraction * (goal - start) + lead
            data.ctrl[self._arm_ctrl] = np.clip(setpoint, self._low, self._high)
            data.ctrl[self._finger_ctrl] = finger_start + fraction * (finger_goal - finger_start)
            mujoco.mj_step(model, data, chunk)
        data.ctrl[self._arm_ctrl] = goal
        self.target = np.append(goal, finger_goal)

    def _finger_goal(self, data: mujoco.MjData, command: float, duration_s: float) -> float:
        goal = self.target[7] - np.sign(command) * FINGER_SPEED_M_S * duration_s
        actual = data.qpos[self._fingers].mean()
        return float(np.clip(goal, actual - GRIP_LEASH_M, min(actual + GRIP_LEASH_M, MAX_WIDTH_M / 2)))

    def _inverse_kinematics(self, q: np.ndarray, move_m: np.ndarray, turn_rad: np.ndarray) -> np.ndarray:
        """Joint angles (7,) within limits for the grip pose of `q`, moved and turned (world frame).

        As much of the motion is made as the arm can make: all, half, a quarter or none.
        """
        position, rotation = self._forward(q)
        # The workspace only stops motions out of it: from outside, the way back is free.
        low, high = np.minimum(WORKSPACE_LOW, position), np.maximum(WORKSPACE_HIGH, position)
        for share in (1.0, 0.5, 0.25):
            wanted = np.clip(position + share * move_m, low, high)
            reached = self._solve(q, wanted, rotation_matrix(share * turn_rad) @ rotation)
            if reached is not None:
                return reached
        return q

    def _solve(self, q: np.ndarray, wanted_m: np.ndarray, wanted_rotation: np.ndarray) -> np.ndarray | None:
        """Joint angles (7,) near `q` for a grip pose, None where the arm does not get to it."""
        low = np.maximum(self._low, q - JOINT_STEP_RAD)
        high = np.minimum(self._high, q + JOINT_STEP_RAD)
        posture = _IK_NULL_GAIN * (HOME_QPOS - q)
        for _ in range(_IK_ITERATIONS):
            position, rotation = self._forward(q)
            error = np.append(wanted_m - position, rotation_vector(wanted_rotation @ rotation.T))
            if np.abs(error).max() < _IK_TOLERANCE:
                return q
            mujoco.mj_comPos(self._model, self._scratch)
            mujoco.mj_jacSite(self._model, self._scratch, self._jacobian[:3], self._jacobian[3:], self._site)
            jac = self._jacobian[:, self._dofs]  # 6 7
            pseudo_inverse = jac.T @ np.linalg.inv(jac @ jac.T + _IK_DAMPING * np.eye(6))
            q = np.clip(q + posture + pseudo_inverse @ (error - jac @ posture), low, high)
            posture = np.zeros(7)  # once is enough; further rounds only remove the error
        return None

    def _forward(self, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self._scratch.qpos[self._qpos] = q
        mujoco.mj_kinematics(self._model, self._scratch)
        return self.pose(self._scratch)


def rotation_matrix(vector: np.ndarray) -> np.ndarray:
    """Rotation matrix (3, 3) of an axis-angle vector (3,) rad."""
    angle = float(np.linalg.norm(vector))
    quat, matrix = np.empty(4), np.empty(9)
    mujoco.mju_axisAngle2Quat(quat, vector / angle if angle else np.array([0.0, 0.0, 1.0]), angle)
    mujoco.mju_quat2Mat(matrix, quat)
    return matrix.reshape(3, 3)


def rotation_vector(matrix: np.ndarray) -> np.ndarray:
    """Axis-angle vector (3,) rad of a rotation matrix (3, 3)."""
    quat, vector = np.empty(4), np.empty(3)
    mujoco.mju_mat2Quat(quat, matrix.ravel())
    mujoco.mju_quat2Vel(vector, quat, 1.0)
    return vector
