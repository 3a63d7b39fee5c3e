/* Volumes with a margin of one voxel of zeros, in which positions outside read 0 once they are
 * clamped to [-1, length].
 */
#ifndef HIPREG_PADDED_H
#define HIPREG_PADDED_H

#include "kernels.h"

static inline Size padded_size(Size in) {
    Size out = {in.d + 2, in.h + 2, in.w + 2};
    return out;
}

static inline float clamped(float position, float length) {
    /* Written so that NaN becomes -1, which reads 0. */
    position = position > -1.0f ? position : -1.0f;
    return position < length ? position : length;
}

/* The lower of the two voxels that a clamped position lies between. */
static inline float lower(float position, float length) {
    float index = floorf(position);
    return index < length - 1 ? index : length - 1;
}

#endif
