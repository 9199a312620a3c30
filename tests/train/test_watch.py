from cnnlab.train.watch import Moment, Watch


def test_the_plain_looker_on_takes_everything_and_does_nothing() -> None:
    watch = Watch()
    watch.loading(1, None)
    watch.started("title")
    watch.stepped(Moment(1, 0, 0.1, 2.3, 0.1, 0.1, 32, 100.0, 9.0))
    watch.validated(0, 0.5, 1.0)
    watch.said("message")
    watch.ended()
    assert vars(watch) == {}
