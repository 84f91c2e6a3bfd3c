"""A GPU that computes nothing: what is done on it is checked for devices, shapes and waits.

Tensors have shapes, types and devices, and no values (torch's FakeTensorMode). Operators that read
tensors of two devices raise, as on a GPU; so does a Python number wanted of a tensor, for which a
GPU would have to be waited for. One process has such a device for good: use it in one of its own.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import _pytree, backend_registration
from torch.utils._python_dispatch import TorchDispatchMode

NAME = "gpu"


class Watched(TorchDispatchMode):
    """Counts what runs.

    Attributes:
        kernels: on the device, by name; without what only reads memory another way.
        crossings: operators that tensors of both devices go into or come out of, by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kernels: Counter[str] = Counter()
        self.crossings: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if func.namespace == "prim":  # a question, such as where a tensor is
            return made
        tensors = [t for t in _pytree.tree_leaves((args, kwargs, made)) if torch.is_tensor(t)]
        devices = {t.device.type for t in tensors}
        if NAME in devices and not func.is_view:
            self.kernels[str(func)] += 1
        if devices >= {NAME, "cpu"}:
            self.crossings[str(func)] += 1
        return made


class _Pretence(FakeTensorMode):
    avoid_device_init = True  # there is none, so no constant can be sent there


class _Module(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16, torch.float16]


@cache
def _register() -> None:
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=_Module())


@contextmanager
def pretended_gpu() -> Iterator[torch.device]:
    """In it, tensors are pretended, and those of this device lie on a GPU."""
    _register()
    with _Pretence(allow_non_fake_inputs=True):
        yield torch.device(NAME)
