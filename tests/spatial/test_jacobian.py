"""Determinants of the Jacobian for gradients' sake, beside those that are reported."""

from __future__ import annotations

import numpy as np
import torch

from hipreg import evaluation
from hipreg.spatial import jacobian_determinant
from tests.helpers import SMALL, generator


def test_identity_keeps_volumes() -> None:
    found = jacobian_determinant(torch.zeros(2, 3, 6, 7, 8))
    assert torch.equal(found, torch.ones(2, 4, 5, 6))


def test_stretch_is_the_product_of_its_factors() -> None:
    d, h, w = torch.meshgrid(*[torch.arange(6.0)] * 3, indexing="ij")
    stretch = torch.stack([0.5 * d, -0.2 * h, 0.1 * w])[None]
    torch.testing.assert_close(
        jacobian_determinant(stretch), torch.full((1, 4, 4, 4), 1.5 * 0.8 * 1.1)
    )


def test_it_is_what_is_reported() -> None:
    fields = torch.randn(2, 3, *SMALL, generator=generator(3))
    found = jacobian_determinant(fields)
    for one, field in zip(found, fields, strict=True):
        reported = evaluation.jacobian_determinant(field.numpy(), border=1)
        np.testing.assert_allclose(one.numpy(), reported, atol=1e-4)
