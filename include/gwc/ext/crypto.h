/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_EXT_CRYPTO_H
#define GWC_EXT_CRYPTO_H

/* gwc.crypto/1, offered by the host: encryption at rest under the gateway's key. */

#include "../status.h"
#include "../types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GWC_EXT_CRYPTO "gwc.crypto/1"

typedef struct gwc_crypto {
    uint32_t struct_size;
    uint32_t reserved;
    /* Encrypts and authenticates. [worker] */
    gwc_status (*encrypt)(void *ctx, gwc_bytes clear, gwc_sink out, gwc_error *err);
    /* GWC_E_INVALID if it was not encrypted here, or was changed. [worker] */
    gwc_status (*decrypt)(void *ctx, gwc_bytes sealed, gwc_sink out, gwc_error *err);
} gwc_crypto;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_CRYPTO_H */
