"""Evaluating a loss pair by pair, gradients along with values.

The displacements, warped images and window sums of a batch in training take gigabytes; those of a
pair fit into a processor's cache. So a part of the batch at a time goes all the way from predicted
parameters to the gradient by them, and nothing but that gradient is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from hipreg.types import Pair, Registration

CPU_PART = 2
GPU_PART = 64
"""Pairs of one part."""

Terms = Callable[[Registration, Pair], Float[Tensor, "T B"]]


def evaluate_in_parts(
    terms: Terms, weights: Sequence[float], registration: Registration, pair: Pair
) -> tuple[Tensor, Float[Tensor, " T"]]:
    """The weighted sum of terms, to be differentiated, and the terms, detached.

    Args:
        terms: Values of T terms for each of B pairs, independent of the other pairs.
        weights: T weights.
        registration: Differentiable in its parameters, once.
        pair: Of the same batch as ``registration``.
    """
    differentiable = torch.is_grad_enabled() and any(
        p.requires_grad for p in registration.parameters
    )
    total, values = _InParts.apply(  # type: ignore[no-untyped-call]
        terms, weights, registration, pair, differentiable, *registration.parameters
    )
    return total, values


class _InParts(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        terms: Terms,
        weights: Sequence[float],
        registration: Registration,
        pair: Pair,
        differentiable: bool,
        *parameters: Tensor,
    ) -> tuple[Tensor, Tensor]:
        device, batch = parameters[0].device, len(parameters[0])
        gradients = [torch.zeros_like(p) for p in parameters if differentiable]
        values = []
        for part in parts(batch, device):
            chosen = registration.of(part)
            leaves = tuple(p.detach().requires_grad_(differentiable) for p in chosen.parameters)
            with torch.set_grad_enabled(differentiable):
                found = terms(Registration(leaves, chosen.transform), pair.of(part))
                values.append(found.detach())
                if differentiable:
                    total = _weighted(weights, found.sum(1)) / batch
                    slopes = torch.autograd.grad(total, leaves, allow_unused=True)
            for gradient, slope in zip(gradients, slopes if differentiable else (), strict=True):
                if slope is not None:
                    gradient[part] = slope
        mean = torch.cat(values, dim=1).mean(dim=1)
        ctx.save_for_backward(*gradients)
        ctx.mark_non_differentiable(mean)
        return _weighted(weights, mean), mean

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return (*[None] * 5, *(gradient * upstream for gradient in ctx.saved_tensors))


def _weighted(weights: Sequence[float], terms: Float[Tensor, " T"]) -> Tensor:
    # Numbers that come from the host as such, and not as a tensor, keep a GPU's queue running.
    return torch.stack([w * term for w, term in zip(weights, terms.unbind(), strict=True)]).sum()


def parts(batch: int, device: torch.device) -> Iterator[slice]:
    """A batch a few pairs at a time, as many as suit the device."""
    step = CPU_PART if device.type == "cpu" else GPU_PART
    return (slice(start, start + step) for start in range(0, batch, step))
