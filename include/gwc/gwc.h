/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
#ifndef GWC_GWC_H
#define GWC_GWC_H

/*
 * Gateway component contract.
 *
 * THREADS. Every function ends with its tag. [control]: serialized per instance
 * by the host, from any OS thread. [any-thread]: at any time, from any thread.
 * [worker]: a host function, called by the component on a thread of its own, and
 * never from inside activate, update, deactivate (log alone excepted).
 *
 * OWNERSHIP. Every pointer is borrowed for the call unless its sentence says
 * otherwise. Results of unknown length go through a sink. Who allocates frees.
 *
 * ERRORS. A gwc_status, and where the caller passes one, a gwc_error. Outputs are
 * written on success only. Nothing unwinds or longjmps across, neither an
 * exception nor pthread_exit: it may end the process. A panic inside a component
 * poisons that instance (GWC_E_PANIC), and destroy still works.
 *
 * VERSIONS. A struct only grows at its end; use a field of a foreign struct only
 * if it lies within its struct_size. What does not fit so becomes a new
 * extension, "gwc.NAME/2".
 *
 * INSTANCES. Any number per process; a module has no mutable state of its own.
 *
 * PROCESS. It is the host's: a component leaves signals, locale, environment,
 * working directory, umask and the standard streams as they are. An instance
 * belongs to the process that made it; in a forked child its functions are not to
 * be called. Destroy all instances before the functions that a host gave them go
 * away, as when the runtime of its language ends.
 *
 * STACK. A control call needs at most 64 KiB of it. A component has 1 MiB at the
 * least on the threads on which it calls the host.
 *
 * UNLOADING. After destroy of all its instances a library may be closed with
 * dlclose, not before. The system may keep it mapped: to upgrade a component, load the new
 * version from a different path beside it.
 */

#include "component.h"
#include "entry.h"
#include "host.h"
#include "status.h"
#include "types.h"

#endif /* GWC_GWC_H */
