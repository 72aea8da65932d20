/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_STATUS_H
#define GWC_STATUS_H

/*
 * What a call returns. GWC_OK is 0; everything else is an error, and then no
 * output was written except *err. A number unknown to the reader is an error.
 */

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t gwc_status;

#define GWC_OK 0
#define GWC_E_INVALID_ARGUMENT 1 /* NULL, text that is not UTF-8, a type that does not exist */
#define GWC_E_STATE 2            /* not in this state: activate twice, update after deactivate */
#define GWC_E_UNSUPPORTED 3      /* the other side lacks an extension or function */
#define GWC_E_NOT_FOUND 4        /* no such pid, keystore, alias, property, package */
#define GWC_E_INVALID 5          /* a value does not hold; err names the object */
#define GWC_E_CONFLICT 6         /* somebody else changed or holds it */
#define GWC_E_IO 7               /* reading or writing failed */
#define GWC_E_NO_SPACE 8         /* the disk is full */
#define GWC_E_DENIED 9           /* permission */
#define GWC_E_BUSY 10            /* a second call while the first runs; try again */
#define GWC_E_NETWORK 11         /* a connection failed */
#define GWC_E_INTERNAL 12        /* a bug on the callee's side */
#define GWC_E_PANIC 13           /* the instance is poisoned; only destroy is left */

#define GWC_ERROR_CODE_SIZE 64u
#define GWC_ERROR_MESSAGE_SIZE 512u

/*
 * Filled by the callee when it fails. The caller owns it, sets struct_size and
 * may pass NULL if it does not want to know. Both texts end with NUL, are cut at
 * a character boundary where they are too long, and never hold a secret.
 */
typedef struct gwc_error {
    uint32_t struct_size;
    gwc_status status;
    char code[GWC_ERROR_CODE_SIZE];       /* stable dotted code, e.g. config.invalid */
    char message[GWC_ERROR_MESSAGE_SIZE]; /* one line that names the object */
} gwc_error;

#ifdef __cplusplus
}
#endif

#endif /* GWC_STATUS_H */
