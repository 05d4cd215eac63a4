"""Several processes that train one network: who takes which rows, and sums over all of them.

Each process works on its own rows of one global batch. Every sum that a loss divides, or divides
by, runs over the rows of all processes, so that the loss and its gradient are those of one process
with the whole batch. Without a process group every function here hands its input back.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from napari_active_seg.errors import ConfigError
from napari_active_seg.learning.module_modes import batch_norms

__all__ = [
    "OwnRowsOfDropout",
    "all_reduce_sum",
    "all_reduce_with_grad",
    "broadcast_from_rank0",
    "check_no_batch_norm",
    "join_ranks",
    "leave_ranks",
    "local_rows",
    "n_ranks",
    "rank",
    "rows_of_rank",
    "sum_gradients",
]


def join_ranks(device: torch.device) -> bool:
    """Join the processes that ``torchrun`` started; return whether there are any."""
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        return False
    if not dist.is_initialized():
        atexit.register(leave_ranks)
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return True


def leave_ranks() -> None:
    """Leave the group of processes, where there is one."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def n_ranks() -> int:
    """Return how many processes train together."""
    return dist.get_world_size() if _together() else 1


def rank() -> int:
    """Return the number of this process, 0 where it is alone."""
    return dist.get_rank() if _together() else 0


def rows_of_rank(n_rows: int, number: int, count: int) -> list[int]:
    """Return the rows of a batch that process ``number`` of ``count`` works on, in order.

    Rows i and n - 1 - i go together, since losses that compare rows pair them so.
    """
    return [i for i in range(n_rows) if min(i, n_rows - 1 - i) % count == number]


def local_rows(n_rows: int) -> list[int]:
    """Return the rows of the global batch that this process works on."""
    if n_rows % (2 * n_ranks()) and n_ranks() > 1:
        raise ConfigError(
            f"a batch of {n_rows} cannot be shared by {n_ranks()} processes; "
            f"choose a multiple of {2 * n_ranks()}"
        )
    return rows_of_rank(n_rows, rank(), n_ranks())


def all_reduce_sum(value: Tensor) -> Tensor:
    """Return the sum of a value without gradient over all processes."""
    if not _together():
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total


def all_reduce_with_grad(value: Tensor) -> Tensor:
    """Return the sum over all processes, with the gradient of this one's share."""
    return value + (all_reduce_sum(value) - value).detach() if _together() else value


def sum_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Add up the gradients of all processes; each divided by the sums of all already."""
    if not _together():
        return
    learning = list(parameters)
    for parameter in learning:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    flat = torch.cat([p.grad.flatten() for p in learning if p.grad is not None])
    dist.all_reduce(flat)
    place = 0
    for parameter in learning:
        if parameter.grad is not None:
            count = parameter.numel()
            parameter.grad.copy_(flat[place : place + count].view_as(parameter))
            place += count


def broadcast_from_rank0(value: float) -> float:
    """Return what the first process has found, so that all of them decide alike."""
    if not _together():
        return value
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    dist.broadcast(shared, src=0)
    return float(shared)


def check_no_batch_norm(network: nn.Module) -> None:
    """Raise ConfigError where several processes would each see statistics of their own."""
    if _together() and any(layer.training for layer in batch_norms(network)):
        raise ConfigError(
            "batch norm sees the batch of one process alone; train 'unet:group', or a pretrained "
            "network with --set batch_norm=frozen"
        )


class OwnRowsOfDropout(TorchFunctionMode):
    """Lets dropout draw for the whole batch and keep this process' rows of the mask.

    So the masks are those that one process with the whole batch would draw.
    """

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func not in _DROPOUTS or not _together():
            return func(*args, **(kwargs or {}))
        options = {k: v for k, v in (kwargs or {}).items() if k != "inplace"}
        return _shared_dropout(func, *args, **options)


def _shared_dropout(
    func: Any, planes: Tensor, p: float = 0.5, training: bool = True, _inplace: bool = False
) -> Tensor:
    if not training or p == 0:
        return planes
    n_rows = len(planes) * n_ranks()
    ones = planes.new_ones(n_rows, *planes.shape[1:])
    if planes.dim() == 4 and planes.is_contiguous(memory_format=torch.channels_last):
        ones = ones.contiguous(memory_format=torch.channels_last)  # draws follow the memory
    mask: Tensor = func(ones, p, True)
    return planes * mask[rows_of_rank(n_rows, rank(), n_ranks())]


_DROPOUTS = (F.dropout, F.dropout1d, F.dropout2d, F.dropout3d)


def _together() -> bool:
    return dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1
