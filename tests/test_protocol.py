"""Evaluation protocols: finding, comparing and hashing them."""

from dataclasses import FrozenInstanceError, fields, replace

import pytest

from zsadbench.errors import UsageError
from zsadbench.protocol import STRICT, EvaluationProtocol, differing, find_protocol

OF_A_METHOD = EvaluationProtocol("paper:mine", aupro="200_max", mask_resize="bilinear-half")


def test_the_strict_protocols():
    assert [protocol.name for protocol in STRICT] == ["strict", "strict-raw", "strict-native"]
    strict = find_protocol("strict")
    assert strict == EvaluationProtocol("strict")
    assert (strict.aupro, strict.fpr_limit, strict.connectivity) == ("exact", 0.3, 8)
    assert differing(strict, find_protocol("strict-raw")) == {"smoothing": ("published", "none")}


def test_a_protocol_of_a_method_is_found():
    assert find_protocol("paper:mine", [OF_A_METHOD]) is OF_A_METHOD


def test_a_wrong_name_gets_the_nearest_one():
    with pytest.raises(UsageError, match=r"no protocol named 'strickt'; did you mean 'strict'\?"):
        find_protocol("strickt")
    with pytest.raises(UsageError, match=r"no protocol named 'paper:mine'; known: strict, strict-native, strict-raw"):
        find_protocol("paper:mine")


def test_difference_is_by_field_and_leaves_the_name_out():
    strict = find_protocol("strict")
    assert differing(strict, replace(strict, name="other")) == {}
    assert differing(strict, OF_A_METHOD) == {
        "aupro": ("exact", "200_max"),
        "mask_resize": ("nearest", "bilinear-half"),
    }


def test_the_digest_sees_every_field():
    base = EvaluationProtocol("strict")
    assert base.digest == EvaluationProtocol("strict").digest
    assert len(base.digest) == 12
    assert int(base.digest, 16) >= 0
    seen = {base.digest}
    for field in fields(base):
        value = getattr(base, field.name)
        other = (*value, "more") if isinstance(value, tuple) else f"{value}x" if isinstance(value, str) else value + 1
        seen.add(replace(base, **{field.name: other}).digest)
    assert len(seen) == 1 + len(fields(base))


def test_protocols_are_frozen_and_hashable():
    with pytest.raises(FrozenInstanceError):
        STRICT[0].aupro = "200_max"
    assert len({*STRICT, EvaluationProtocol("strict")}) == len(STRICT)
