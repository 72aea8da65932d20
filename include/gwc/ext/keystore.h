/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_EXT_KEYSTORE_H
#define GWC_EXT_KEYSTORE_H

/*
 * gwc.keystore/1, offered by the host: its keystores, by their Kura names.
 * SSLKeystore anchors TLS and holds TLS client keys; DMKeystore holds the roots
 * of received chains (CA certificates) and the trusted signers of control
 * messages (end-entity certificates). Private keys need not leave the keystore.
 *
 * Every change is durable when the call returns, and idempotent by its key.
 */

#include "../status.h"
#include "../types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GWC_EXT_KEYSTORE "gwc.keystore/1"

#define GWC_ENTRY_TRUSTED_CERTIFICATE 1u /* pem holds one certificate */
#define GWC_ENTRY_PRIVATE_KEY 2u         /* pem holds the chain, leaf first; may be empty */
#define GWC_ENTRY_CRL 3u                 /* pem holds one certificate revocation list */

typedef struct gwc_keystore_entry {
    uint32_t struct_size;
    uint32_t kind; /* GWC_ENTRY_... */
    gwc_str alias;
    gwc_str pem; /* certificates only, never a private key */
} gwc_keystore_entry;

/* put is called once per entry, in the order of the aliases. */
typedef struct gwc_keystore_sink {
    void *ctx;
    void (*put)(void *ctx, const gwc_keystore_entry *entry);
} gwc_keystore_sink;

typedef struct gwc_keystore {
    uint32_t struct_size;
    uint32_t reserved;
    /* The entries of a keystore. GWC_E_NOT_FOUND if there is no such keystore. [worker] */
    gwc_status (*list)(void *ctx, gwc_str keystore, gwc_keystore_sink out, gwc_error *err);
    /* Sets a trusted certificate. [worker] */
    gwc_status (*put_certificate)(void *ctx, gwc_str key, gwc_str keystore, gwc_str alias,
                                  gwc_str pem, gwc_error *err);
    /* Removes an entry; one that is not there is GWC_OK. [worker] */
    gwc_status (*remove)(void *ctx, gwc_str key, gwc_str keystore, gwc_str alias, gwc_error *err);
    /* Makes a key pair: algorithm "EC" with size 256, 384 or "RSA" with size
     * 2048, 3072, 4096 (bits). An alias that has a key already keeps it. [worker] */
    gwc_status (*create_key)(void *ctx, gwc_str key, gwc_str keystore, gwc_str alias,
                             gwc_str algorithm, uint32_t size, gwc_error *err);
    /* A PKCS#10 request (PEM) for the key, signed by it. subject is an RFC 4514
     * name, signature_algorithm a Java name such as SHA256withECDSA or empty. [worker] */
    gwc_status (*csr)(void *ctx, gwc_str keystore, gwc_str alias, gwc_str subject,
                      gwc_str signature_algorithm, gwc_sink out, gwc_error *err);
    /* Sets the chain (PEM, leaf first) of an existing key; an empty pem takes it
     * away. GWC_E_INVALID if the leaf's public key is not the key's. [worker] */
    gwc_status (*put_chain)(void *ctx, gwc_str key, gwc_str keystore, gwc_str alias, gwc_str pem,
                            gwc_error *err);
    /* The private key as PKCS#8 PEM, or a pkcs11: URI (RFC 7512). For the TLS
     * client certificate of the proof; forget it after use. [worker] */
    gwc_status (*private_key)(void *ctx, gwc_str keystore, gwc_str alias, gwc_sink out,
                              gwc_error *err);
} gwc_keystore;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_KEYSTORE_H */
