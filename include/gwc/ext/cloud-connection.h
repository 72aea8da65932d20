/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_EXT_CLOUD_CONNECTION_H
#define GWC_EXT_CLOUD_CONNECTION_H

/* gwc.cloud-connection/1, offered by the host: the cloud connection that the
 * calling instance belongs to. */

#include "../status.h"
#include "../types.h"
#include "configuration.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GWC_EXT_CLOUD_CONNECTION "gwc.cloud-connection/1"

#define GWC_CONNECTION_DISCONNECTED 0u
#define GWC_CONNECTION_CONNECTING 1u
#define GWC_CONNECTION_CONNECTED 2u

typedef struct gwc_connection_state {
    uint32_t struct_size;
    uint32_t state;        /* GWC_CONNECTION_... */
    gwc_str pid;           /* of the CloudService, e.g. org.eclipse.kura.cloud.CloudService-2 */
    gwc_str data_pid;      /* of the DataService */
    gwc_str transport_pid; /* of the MqttDataTransport */
    gwc_str last_error;    /* one line, empty if none */
} gwc_connection_state;

typedef struct gwc_connection_sink {
    void *ctx;
    void (*put)(void *ctx, const gwc_connection_state *state);
} gwc_connection_sink;

typedef struct gwc_cloud_connection {
    uint32_t struct_size;
    uint32_t reserved;
    /* The connection as it is now. [worker] */
    gwc_status (*describe)(void *ctx, gwc_connection_sink out, gwc_error *err);
    /* Disconnects and keeps disconnected, also over restarts of the host, until
     * connect or release. [worker] */
    gwc_status (*disconnect)(void *ctx, gwc_error *err);
    /* Lets the connection connect with its present configuration; returns
     * without waiting for it. transaction, where not empty, becomes the metric
     * prov.transaction.id of the next BIRTH, and is kept over restarts until the
     * broker has taken over such a BIRTH. [worker] */
    gwc_status (*connect)(void *ctx, gwc_str transaction, gwc_error *err);
    /* Proves that the connection would work with list, within deadline_ms. Only
     * for transports that are not MQTT; NULL otherwise. [worker] */
    gwc_status (*probe)(void *ctx, const gwc_configuration_list *list, uint32_t deadline_ms,
                        gwc_error *err);
    /* Ends what disconnect began, without an order to connect: what the
     * connection was told before, or its own configuration, counts again. [worker] */
    gwc_status (*release)(void *ctx, gwc_error *err);
} gwc_cloud_connection;

#ifdef __cplusplus
}
#endif

#endif /* GWC_EXT_CLOUD_CONNECTION_H */
