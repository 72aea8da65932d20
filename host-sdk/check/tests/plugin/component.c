/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
/*
 * The smallest component that keeps to the contract, in C; and, with one of the
 * macros below, one that breaks it in one place. It does nothing at all: what it
 * shows is what every component has to do around its own work.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "careful.h"

#define EXPORT __attribute__((visibility("default")))
#define PID "org.example.Nothing"

struct gwc_component {
    pthread_mutex_t control; /* held by the control call that runs */
    int active;
    gwc_host host;
};

#ifdef OVERWRITES_ERRORS
static gwc_status overwrite(gwc_error *err, gwc_status status, const char *message) {
    gwc_error whole = {sizeof whole, status, "", ""};
    strcpy(whole.message, message);
    if (err) *err = whole;
    return status;
}
#define fail overwrite
#endif

/* Every control call begins here: GWC_OK, and the lock is held. */
static gwc_status enter(gwc_component *self, gwc_error *err) {
    if (!self) return fail(err, GWC_E_INVALID_ARGUMENT, "no instance");
    if (pthread_mutex_trylock(&self->control)) return fail(err, GWC_E_BUSY, "another call runs");
    return GWC_OK;
}

static gwc_status leave(gwc_component *self, gwc_status status) {
    pthread_mutex_unlock(&self->control);
    return status;
}

#ifdef LEAVES_A_THREAD
static void *idle(void *none) {
    for (;;) pause();
    return none;
}
#endif

static gwc_status activate(gwc_component *self, const gwc_properties *properties, gwc_error *err) {
    const char *wrong;
    gwc_status status = enter(self, err);
    if (status) return status;
#ifndef ACTIVATES_TWICE
    if (self->active) return leave(self, fail(err, GWC_E_STATE, "it is active already"));
#endif
    if ((wrong = judge(properties))) return leave(self, fail(err, GWC_E_INVALID_ARGUMENT, wrong));
#ifdef CRASHES_IN_ACTIVATE
    *(volatile int *)8 = 1;
#endif
#ifdef EXITS
    _exit(0);
#endif
#ifdef CLOSES_ITS_OUTPUT_AND_HANGS
    close(1);
    for (;;) pause();
#endif
#ifdef TAKES_THE_STREAMS
    close(0), close(1), close(2);
#endif
#ifdef FLOODS_ITS_OUTPUT
    static char flood[1 << 16];
    for (int n = 0; n < 64; n++) { if (write(1, flood, sizeof flood) < 0) return leave(self, fail(err, GWC_E_IO, "no output")); }
#endif
#ifdef LEAVES_A_PROCESS
    if (fork() == 0) { setsid(); sleep(5); _exit(0); }
#endif
#ifdef FORKS_AND_RETURNS
    if (fork() < 0) return leave(self, fail(err, GWC_E_INTERNAL, "no process"));
#endif
#ifdef IGNORES_SIGPIPE
    signal(SIGPIPE, SIG_IGN);
#endif
#ifdef LEAKS
    char *leak = malloc(1 << 20);
    if (leak) memset(leak, 1, 1 << 20);
#endif
#ifdef LEAVES_A_THREAD
    pthread_t thread;
    pthread_create(&thread, NULL, idle, NULL);
#endif
    self->active = 1;
    return leave(self, GWC_OK);
}

static gwc_status update(gwc_component *self, const gwc_properties *properties, gwc_error *err) {
    const char *wrong;
    gwc_status status = enter(self, err);
    if (status) return status;
    if (!self->active) return leave(self, fail(err, GWC_E_STATE, "it is not active"));
    if ((wrong = judge(properties))) return leave(self, fail(err, GWC_E_INVALID_ARGUMENT, wrong));
    return leave(self, GWC_OK);
}

static gwc_status deactivate(gwc_component *self, gwc_error *err) {
    gwc_status status = enter(self, err);
    if (status) return status;
    if (!self->active) return leave(self, fail(err, GWC_E_STATE, "it is not active"));
#ifdef BLOCKS_IN_DEACTIVATE
    usleep(400 * 1000);
#endif
#ifdef HANGS_IN_DEACTIVATE
    for (;;) pause();
#endif
    self->active = 0;
    return leave(self, GWC_OK);
}

static gwc_status destroy(gwc_component *self, gwc_error *err) {
    gwc_status status = enter(self, err);
    if (status) return status;
    pthread_mutex_unlock(&self->control);
    pthread_mutex_destroy(&self->control);
    free(self);
    return GWC_OK;
}

static const void *get_extension(gwc_component *self, gwc_str id) { return (void)self, (void)id, NULL; }

static gwc_status metatype(gwc_str factory_pid, gwc_str locale, gwc_sink out, gwc_error *err) {
    static const char xml[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"
        "<metatype:MetaData xmlns:metatype=\"http://www.osgi.org/xmlns/metatype/v1.2.0\">"
        "<OCD id=\"" PID "\" name=\"Nothing\"><AD id=\"a\" name=\"a\" cardinality=\"0\" required=\"true\" "
#ifdef BROKEN_METATYPE
        "type=\"Number\" "
#else
        "type=\"Integer\" "
#endif
        "default=\"1\"/></OCD><Designate pid=\"" PID "\" factoryPid=\"" PID "\"><Object ocdref=\"" PID "\"/></Designate>"
        "</metatype:MetaData>";
    (void)locale;
    if (!is_text(factory_pid)) return fail(err, GWC_E_INVALID_ARGUMENT, "no factory pid");
    if (!same(factory_pid, TEXT(PID))) return fail(err, GWC_E_NOT_FOUND, "the factory pid is " PID);
    if (!out.put) return fail(err, GWC_E_INVALID_ARGUMENT, "a sink without put");
    out.put(out.ctx, (gwc_bytes){(const uint8_t *)xml, sizeof xml - 1});
    return GWC_OK;
}

static gwc_status create(gwc_str factory_pid, const gwc_host *host, gwc_str name, gwc_component **out, gwc_error *err) {
    gwc_component *self;
#ifdef WRITES_OUTPUTS_ON_FAILURE
    if (out) *out = NULL;
#endif
    if (!is_text(factory_pid) || !is_text(name) || !name.len || !out) return fail(err, GWC_E_INVALID_ARGUMENT, "no factory pid, name or output");
    if (!same(factory_pid, TEXT(PID))) return fail(err, GWC_E_NOT_FOUND, "the factory pid is " PID);
#ifdef IGNORES_SIZES
    if (!host || !host->get_extension) return fail(err, GWC_E_INVALID_ARGUMENT, "no gwc_host");
#else
    if (!host || host->struct_size < sizeof *host || !host->get_extension) return fail(err, GWC_E_INVALID_ARGUMENT, "no gwc_host");
#endif
    self = calloc(1, sizeof *self);
    if (!self) return fail(err, GWC_E_INTERNAL, "no memory");
    pthread_mutex_init(&self->control, NULL);
    memcpy(&self->host, host, sizeof self->host);
    *out = self;
    return GWC_OK;
}

static const gwc_component_ops ops = {sizeof ops, 0, activate, update, deactivate, destroy, get_extension};
static const gwc_component_info components[] = {{sizeof components[0], 0, {PID, sizeof PID - 1}, {"Does nothing", 12}}};
static const gwc_module module = {
    sizeof module, GWC_ABI_MAJOR, GWC_ABI_MINOR, sizeof components[0], 1, components,
    {"nothing", 7}, {"1.0.0", 5}, {"example", 7}, {"2026-01-01T00:00:00Z", 20}, metatype, create, &ops,
};

#ifdef EXPORTS_MORE
EXPORT int helper(void);
EXPORT int helper(void) { return 1; }
#endif
#ifdef HANDLES_SIGNALS
__attribute__((constructor)) static void at_load(void) { signal(SIGUSR1, SIG_IGN); }
#endif

#ifndef HAS_NO_DOOR
EXPORT
#else
__attribute__((unused))
#endif
const gwc_module *gwc_entry(uint32_t host_abi_major) {
#ifdef ACCEPTS_EVERY_MAJOR
    return (void)host_abi_major, &module;
#else
    return host_abi_major == GWC_ABI_MAJOR ? &module : NULL;
#endif
}
