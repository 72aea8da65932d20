/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_COMPONENT_H
#define GWC_COMPONENT_H

/*
 * A component instance and its lifecycle:
 *
 *   create -> activate -> update* -> deactivate -> (activate ...) -> destroy
 *
 * Calls of one instance are serialized by the host; they may come from any OS
 * thread. Calls out of order are GWC_E_STATE, a call while another one runs is
 * GWC_E_BUSY; neither does harm. From inside a call that the instance makes (a
 * host function, a watch) it can be updated, but not deactivated or destroyed, as
 * these wait for that very call: GWC_E_STATE.
 */

#include "host.h"
#include "status.h"
#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An instance. Opaque; made by create, ended by destroy. */
typedef struct gwc_component gwc_component;

/* The functions of every instance of a module. Owned by the module until unload. */
typedef struct gwc_component_ops {
    uint32_t struct_size;
    uint32_t reserved; /* 0 */
    /* Starts the instance with its configuration. Returns at once. Properties
     * that do not hold are no error here: the instance stays up, idle, and its
     * status names them. properties is borrowed for the call. [control] */
    gwc_status (*activate)(gwc_component *self, const gwc_properties *properties, gwc_error *err);
    /* The whole new configuration, absent properties being at their default.
     * Returns at once. properties is borrowed for the call. [control] */
    gwc_status (*update)(gwc_component *self, const gwc_properties *properties, gwc_error *err);
    /* Stops the instance. On return none of its threads runs and none of its
     * host calls is in flight; at most 250 ms later than the host's own calls
     * return, whatever the network does. Threads that a library keeps for all
     * instances of the process may idle until destroy, which may take a second
     * to end them; they call nobody. [control] */
    gwc_status (*deactivate)(gwc_component *self, gwc_error *err);
    /* Ends the instance, deactivating it first where necessary, and frees self,
     * which must not be used again. [control] */
    gwc_status (*destroy)(gwc_component *self, gwc_error *err);
    /* The table of the component's extension named id, or NULL. Owned by the
     * module until unload; its functions take self. [any-thread] */
    const void *(*get_extension)(gwc_component *self, gwc_str id);
} gwc_component_ops;

#ifdef __cplusplus
}
#endif

#endif /* GWC_COMPONENT_H */
