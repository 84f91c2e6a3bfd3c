import signal

import pytest

from poseprep.stopping import stopping_waits


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_amid_a_block_takes_effect_at_its_end(number):
    before = signal.signal(number, signal.default_int_handler)
    reached = []
    try:
        with pytest.raises(KeyboardInterrupt):
            with stopping_waits(), stopping_waits():
                signal.raise_signal(number)
                reached.append("the end")
            reached.append("what follows")
        assert signal.getsignal(number) is signal.default_int_handler
    finally:
        signal.signal(number, before)
    assert reached == ["the end"]
