"""An analytic hippocampus-like anatomy and its smooth random deformations.

Everything here is a formula of continuous coordinates, so that a case can be evaluated anywhere
without interpolation. Coordinates are mm on the axes of a RAS array (left-right, posterior-
anterior, inferior-superior), 0 at the centre of the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]

HALF_LENGTH = 19.5
"""Half the extent of the structure along its long axis (posterior-anterior), mm."""

FIELD_OF_VIEW = (44.0, 60.0, 48.0)
"""The largest crop, mm; what lies outside it is never scanned."""

MAX_STRAIN = 0.75
"""Bound on the change per mm of a deformation's smooth part: below 1, so nothing folds."""

CSF, GREY, WHITE = 0.14, 0.45, 0.86


@dataclass(frozen=True, slots=True)
class Waves:
    """A sum of sine waves, smooth and defined everywhere.

    Attributes:
        vectors: (J, 3) wave vectors in radians per mm.
        phases: (J,) radians.
        amplitudes: (J, C) of C output channels.
    """

    vectors: FloatArray
    phases: FloatArray
    amplitudes: FloatArray

    def __call__(self, points: FloatArray) -> FloatArray:
        """(C, N) values at (3, N) points, in the precision of ``points``."""
        angles = self.vectors.astype(points.dtype) @ points
        angles += self.phases.astype(points.dtype)[:, None]
        result: FloatArray = self.amplitudes.astype(points.dtype).T @ np.sin(angles, out=angles)
        return result


def draw_waves(
    rng: np.random.Generator, count: int, lengths: tuple[float, float], channels: int
) -> Waves:
    """Waves of random direction, wave length (mm, from a range) and phase; rms 1 a channel."""
    directions = rng.normal(size=(count, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    wave_numbers = 2 * np.pi / rng.uniform(*lengths, size=(count, 1))
    amplitudes = rng.normal(size=(count, channels))
    amplitudes *= np.sqrt(2 / (amplitudes**2).sum(axis=0, keepdims=True))
    phases = rng.uniform(0, 2 * np.pi, size=count)
    return Waves(directions * wave_numbers, phases, amplitudes)


@dataclass(frozen=True, slots=True)
class Deformation:
    """From a case's coordinates to those of the common anatomy: affine part plus smooth waves.

    Attributes:
        matrix: (3, 3) rotation and scale.
        shift: (3,) mm.
        waves: the smooth part, three channels in mm.
    """

    matrix: FloatArray
    shift: FloatArray
    waves: Waves

    def __call__(self, points: FloatArray) -> FloatArray:
        """(3, N) points of the anatomy for (3, N) points of the case, in mm."""
        kind = points.dtype
        linear = self.matrix.astype(kind) @ points + self.shift.astype(kind)[:, None]
        return linear + self.waves(points)

    def inverse(self, targets: FloatArray, tolerance: float = 1e-9) -> FloatArray:
        """(3, N) points of the case for (3, N) points of the anatomy, in mm.

        A fixed-point iteration, which converges because the waves' strain is bounded.

        Raises:
            ValueError: it did not reach ``tolerance`` (mm), so this is no bounded deformation.
        """
        back = np.linalg.inv(self.matrix)
        points = back @ (targets - self.shift[:, None])
        for _ in range(200):
            new = back @ (targets - self.shift[:, None] - self.waves(points))
            change = np.abs(new - points).max()
            points = new
            if change < tolerance:
                return points
        raise ValueError(f"the inverse deformation still moves by {change} mm, want {tolerance}")


def draw_deformation(rng: np.random.Generator) -> Deformation:
    """Rotation (7 degrees an axis), scale, shift and smooth waves of one random case."""
    angles = np.deg2rad(rng.normal(0, 7, size=3))
    cross = np.array(
        [[0, -angles[2], angles[1]], [angles[2], 0, -angles[0]], [-angles[1], angles[0], 0]]
    )
    # The Cayley transform makes an exact rotation of a small skew matrix.
    rotation = np.linalg.solve(np.eye(3) - cross / 2, np.eye(3) + cross / 2)
    scale = np.clip(rng.normal(1.0, 0.06, size=3) * rng.normal(1.0, 0.05), 0.85, 1.15)
    shift = np.clip(rng.normal(0, 1.5, size=3), -3, 3)
    waves = draw_waves(rng, 6, (28.0, 60.0), 3)
    strain = float(
        (np.linalg.norm(waves.amplitudes, axis=1) * np.linalg.norm(waves.vectors, axis=1)).sum()
    )
    factor = MAX_STRAIN * float(scale.min()) / strain
    bounded = Waves(waves.vectors, waves.phases, waves.amplitudes * min(factor, 1.5))
    return Deformation(rotation * scale, shift, bounded)


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The tissue that all cases of a population share.

    Attributes:
        n_labels: labels along the long axis, 1 the most anterior.
        folds: coarse pattern of grey and white matter around the structure.
        texture: fine pattern everywhere.
    """

    n_labels: int
    folds: Waves
    texture: Waves

    def label(self, points: FloatArray) -> npt.NDArray[np.uint8]:
        """(N,) labels at (3, N) points; 0 is outside the structure."""
        inside = self._surface_distance(points) < 0
        share = (HALF_LENGTH - points[1]) / (2 * HALF_LENGTH)
        bands = np.clip(np.floor(share * self.n_labels), 0, self.n_labels - 1) + 1
        return np.where(inside, bands, 0).astype(np.uint8)

    def intensity(self, points: FloatArray) -> FloatArray:
        """(N,) T1-like intensities, about 0.05 to 1, at (3, N) points."""
        distance = self._surface_distance(points)
        texture = self.texture(points)[0]
        x, _, z = self._offset(points)
        # Around: bright above, folded stripes of grey and white with dark sulci below.
        folds = self.folds(points)[0] + 0.055 * points[2]
        value = GREY + (WHITE - GREY) * _step(folds, 0.35)
        value = value + (CSF - value) * _step(-folds - 1.5, 0.2)
        # A band of white matter under it, fluid (the temporal horn) above and to the outside.
        below = _step(-z - 0.5, 1.0)
        value = value + (WHITE - value) * below * _step(3.2 - distance, 0.7)
        above = _step(z + 0.6 * x - 1.5, 1.0)
        value = value + (CSF - value) * above * _step(2.2 - distance, 0.5)
        value = value + (GREY - 0.02 - value) * _step(-distance, 0.45)
        result: FloatArray = np.clip(value + 0.05 * texture, 0.05, 1.0)
        return result

    def _offset(self, points: FloatArray) -> FloatArray:
        """(3, N) mm from the centre line of the structure at the same height, middle row 0."""
        x, y, z = points
        centre_x = -4.0 + 0.016 * (y + 4) ** 2
        centre_z = -1.6 - 0.42 * y + 0.006 * y**2
        return np.stack([x - centre_x, np.zeros_like(y), z - centre_z])

    def _surface_distance(self, points: FloatArray) -> FloatArray:
        """(N,) mm to the surface, roughly, negative inside: a curved tube with a thick head."""
        x, _, z = self._offset(points)
        y = points[1]
        head = 1 / (1 + np.exp(np.clip((5.0 - y) / 2.5, -30, 30)))
        radius_x = 5.6 + 1.8 * head
        radius_z = 4.5 + 1.1 * head
        across = (x / radius_x) ** 2 + (z / radius_z) ** 2
        level = np.sqrt(across + (y / HALF_LENGTH) ** 6)
        result: FloatArray = (level - 1) * np.sqrt(radius_x * radius_z)
        return result


def draw_anatomy(rng: np.random.Generator, n_labels: int) -> Anatomy:
    """The anatomy of one population.

    Raises:
        ValueError: ``n_labels`` is not within 1 to 255.
    """
    if not 1 <= n_labels <= 255:
        raise ValueError(f"n_labels must be 1 to 255, got {n_labels}")
    folds = draw_waves(rng, 10, (8.0, 20.0), 1)
    texture = draw_waves(rng, 10, (4.5, 9.0), 1)
    return Anatomy(n_labels, folds, texture)


def _step(values: FloatArray, width: float) -> FloatArray:
    """A smooth step from 0 (negative) to 1 (positive values)."""
    result: FloatArray = 0.5 + 0.5 * np.tanh(values / width)
    return result
