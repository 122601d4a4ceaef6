"""FB-CLIP's head at full size takes little memory: nothing is unfolded, nothing kept that is not needed again."""

import weakref

import pytest
import torch
from torch.nn.functional import avg_pool2d, pad
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from zsadbench_methods.fbclip.foreground import find_foreground
from zsadbench_methods.fbclip.windows import window_distances


class Largest(TorchDispatchMode):
    """Remembers the size of the largest tensor that any operation gave, views of others left out."""

    def __init__(self):
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            sizes = [leaf.untyped_storage().nbytes() // leaf.element_size() for leaf in tree_leaves(out) if _real(leaf)]
            self.numbers = max([self.numbers, *sizes])
        return out


def _real(leaf):
    return isinstance(leaf, torch.Tensor)


@pytest.mark.parametrize("by_key", [False, True])
@pytest.mark.parametrize("view", ["sem", "spa"])
def test_views_take_memory_in_proportion_to_the_tokens(make_tokens, compute_view, view, by_key):
    grid, width = 24, 32
    z = make_tokens(batch=1, grid=grid, width=width, layers=1).layers[0]
    foreground = find_foreground(z, None, threshold=0.4, smoothing=True, background_value=0.5)
    with Largest() as largest:
        compute_view(view, z, foreground, by_key=by_key)
    patches = grid * grid
    band = patches * 5 * (grid + 4)  # a patch and the five rows around it, whatever the width
    assert largest.numbers <= max((grid + 4) ** 2 * width, band), "the padded field is the largest there is"
    assert largest.numbers < patches * patches
    assert largest.numbers < 25 * patches * width


def test_the_measure_of_memory_sees_a_square(make_tokens):
    with Largest() as largest:
        torch.ones(30, 1) * torch.ones(1, 40)
    assert largest.numbers == 1200


class Alive(TorchDispatchMode):
    """The most numbers that tensors made under it held at one time, storage by storage."""

    def __init__(self):
        super().__init__()
        self.storages = {}
        self.most = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        given = {leaf.untyped_storage().data_ptr() for leaf in tree_leaves((args, kwargs)) if _real(leaf)}
        out = func(*args, **(kwargs or {}))
        for leaf in filter(_real, tree_leaves(out)):
            if leaf.untyped_storage().data_ptr() not in given - self.storages.keys():
                self._hold(leaf)
        self.most = max(self.most, sum(size for size, _ in self.storages.values()))
        return out

    def _hold(self, leaf):
        place, size = leaf.untyped_storage().data_ptr(), leaf.untyped_storage().nbytes() // leaf.element_size()
        _, holders = self.storages.setdefault(place, (size, set()))
        holders.add(id(leaf))
        weakref.finalize(leaf, self._let_go, place, id(leaf))

    def _let_go(self, place, holder):
        if place in self.storages:
            self.storages[place][1].discard(holder)
            if not self.storages[place][1]:
                del self.storages[place]


def test_the_head_holds_its_groups_and_little_else(fbclip, make_tokens):
    tokens = make_tokens(batch=1, grid=40)
    detector = fbclip()
    with torch.inference_mode():
        detector.score(tokens, ["bolt"])
        with Alive() as alive:
            detector.score(tokens, ["bolt"])
    group = tokens.layers[0].numel()
    inner = 3 * 2 * 512 * tokens.layers[0].shape[1]  # queries, keys and values of both streams, once
    assert 15 * group < alive.most < 15 * group + 2.6 * inner


def test_distances_of_a_window_do_not_cancel_where_tokens_are_much_alike():
    draw = torch.Generator().manual_seed(3)
    inside = 30 + torch.randn(2, 9, 9, 64, generator=draw)
    soft = torch.where(torch.rand(2, 9, 9, 1, generator=draw) > 0.5, 1.0, 0.5)
    masked = pad(inside * soft, (0, 0, 2, 2, 2, 2)).double()
    mean = avg_pool2d(masked.permute(0, 3, 1, 2), 5, stride=1).permute(0, 2, 3, 1)
    shifted = [masked[:, dy : dy + 9, dx : dx + 9] for dy in range(5) for dx in range(5)]
    direct = torch.stack([(one - mean).norm(dim=-1) for one in shifted], dim=-1)
    assert torch.allclose(window_distances(masked.float()).double(), direct, rtol=2e-5)
