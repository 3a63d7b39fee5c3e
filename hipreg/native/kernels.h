/* What the kernels share. Volumes are float32 and contiguous; W is the fastest axis. */
#ifndef HIPREG_KERNELS_H
#define HIPREG_KERNELS_H

#include <math.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#include <stdint.h>
#include <string.h>

typedef struct {
    long d, h, w;
} Size;

static inline long thread_rank(void) {
#ifdef _OPENMP
    return omp_get_thread_num();
#else
    return 0;
#endif
}

static inline long voxels(Size size) { return size.d * size.h * size.w; }

#endif
