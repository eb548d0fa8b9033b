from tests.one_thread import one_thread  # noqa: F401 (fixture)
from tests.training.tiny_training import feature_cache, trained  # noqa: F401 (fixtures)
