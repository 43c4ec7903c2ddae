/* Turns the result of a system call into the result of a storage function. */
#ifndef FSRVP_ERRNO_H
#define FSRVP_ERRNO_H

#include "fsrvp_core.h"

#include <errno.h>

static inline int zero_or_errno(int returned)
{
    return returned < 0 ? -errno : 0;
}

/* For a call whose result has a meaning, a descriptor for example. */
static inline int value_or_errno(int returned)
{
    return returned < 0 ? -errno : returned;
}

#endif
