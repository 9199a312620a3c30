from tests.train.conftest import training_in

__all__ = ["training_in"]
