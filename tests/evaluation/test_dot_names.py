"""Names beside the points of a scatter plot: none covers another, and none leaves the plot."""

from s2robot.evaluation.pages.charts import Dot, scatter
from s2robot.evaluation.pages.dot_names import LETTER, LONGEST, WIDTH, Name, placed


def test_points_have_the_last_part_of_their_name_on_the_side_where_there_is_room() -> None:
    names = placed(["runs/a/bc", "runs/a/flow"], [(0.1, 0.5), (0.98, 0.5)])
    assert names == [Name("bc", is_left=False), Name("flow", is_left=True)]
    assert placed(["a/bc", "b/bc"], [(0.1, 0.5), (0.1, 0.2)]) == [Name("a/bc", False), Name("b/bc", False)]


def test_points_on_each_other_share_a_name_and_long_names_are_cut() -> None:
    assert placed(["bc", "act"], [(0.5, 0.0), (0.5, 0.01)]) == [Name("bc, act", is_left=False), None]
    (name,) = placed(["x" * 200], [(0.01, 0.5)])
    assert name is not None and len(name.text) == LONGEST and name.text.endswith("…")


def test_a_name_without_room_is_left_out() -> None:
    close = [(0.5 + 0.03 * i, 0.5) for i in range(5)]
    names = placed([f"run number {i}" for i in range(5)], close)
    assert names == [Name("run number 0", True), None, None, None, Name("run number 4", False)]
    assert LETTER * len("x" * LONGEST) < WIDTH / 2  # a name fits on one side of any point


def test_they_are_drawn_once_and_not_read_aloud_twice() -> None:
    dots = [Dot(f"sweep/{name}", x, 0.5, 0.3, 0.7, 0, "r.html") for name, x in (("bc", 1.0), ("act", 2.0))]
    chart = str(scatter(dots, "time", "ms"))
    assert '<b class="name" aria-hidden="true">bc</b>' in chart
    assert '<b class="name left" aria-hidden="true">act</b>' in chart
