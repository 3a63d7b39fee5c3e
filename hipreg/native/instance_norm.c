/* Instance normalisation with a leaky ReLU after it, channels last, in place.
 *
 * The leaky ReLU can be undone, so that the output is all that the backward pass needs. Moments are
 * taken in blocks about the first voxel's value, and blocks are added in double.
 */
#include "kernels.h"

#define BLOCK 1024
#define LANES 32

static long blocks_of(long voxels) { return (voxels + BLOCK - 1) / BLOCK; }

/* Doubles of scratch that both passes need. */
long hipreg_instance_norm_scratch(long batch, long voxels, long channels) {
    return batch * (blocks_of(voxels) + 1) * 2 * channels;
}

/* Whole voxels side by side, so that few channels fill the vector units too. */
static long side_by_side(long channels) {
    return channels >= LANES ? channels : LANES / channels * channels;
}

static void fold(const float *first, const float *second, long lanes, long channels,
                 double *sums) {
    memset(sums, 0, (size_t)(2 * channels) * sizeof(double));
    for (long i = 0; i < lanes; i++) {
        sums[i % channels] += (double)first[i];
        sums[channels + i % channels] += (double)second[i];
    }
}

/* Sums over blocks, one sample's after the other's. */
static void gather(const double *parts, long blocks, long channels, double *sums) {
    memset(sums, 0, (size_t)(2 * channels) * sizeof(double));
    for (long k = 0; k < blocks; k++)
        for (long c = 0; c < 2 * channels; c++) sums[c] += parts[k * 2 * channels + c];
}

/* Upper half of a float32. */
static inline float from_bfloat16(uint16_t bits) {
    uint32_t all = (uint32_t)bits << 16;
    float value;
    memcpy(&value, &all, sizeof(value));
    return value;
}

/* Rounded to nearest, halves to even. */
static inline uint16_t to_bfloat16(float value) {
    uint32_t all;
    memcpy(&all, &value, sizeof(all));
    uint32_t rounded = (all + 0x7fff + ((all >> 16) & 1)) >> 16;
    return (uint16_t)(value == value ? rounded : 0x7fc0);
}

#define VALUE float
#define LOAD(value) (value)
#define STORE(value) (value)
#define NAME(name) name
#include "instance_norm_of.h"
#undef VALUE
#undef LOAD
#undef STORE
#undef NAME

#define VALUE uint16_t
#define LOAD(value) from_bfloat16(value)
#define STORE(value) to_bfloat16(value)
#define NAME(name) name##_bfloat16
#include "instance_norm_of.h"
