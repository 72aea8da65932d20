/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
/*
 * An application as somebody else would write it: one component in one library, through the C
 * headers alone. It keeps a room at its temperature, or would, if it had a heater; what it was told
 * is in its status.
 *
 *   cc -std=c11 -shared -fPIC -fvisibility=hidden -I include \
 *      -DHEATER_METATYPE='"metatype/com.example.Heater.xml"' -o libheater.so heater.c
 *
 * HEATER_FACTORY and HEATER_VERSION make others of the same kind, for tests. Four more make one
 * that is refused (HEATER_UNLINKED, HEATER_MUTE) or fatal (HEATER_FATAL) when it is opened, or fatal
 * when it is activated (HEATER_DYING).
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "careful.h"
#include "gwc/ext/status.h"

#ifndef HEATER_FACTORY
#define HEATER_FACTORY "com.example.Heater"
#endif
#ifndef HEATER_VERSION
#define HEATER_VERSION "1.0.0"
#endif

/* The descriptor that lies beside the library, in the library: they cannot differ. */
__asm__(".pushsection .rodata\n"
        "heater_metatype: .incbin " "\"" HEATER_METATYPE "\"" "\n"
        "heater_metatype_end: .byte 0\n"
        ".popsection\n");
extern const char heater_metatype[] __attribute__((visibility("hidden")));
extern const char heater_metatype_end[] __attribute__((visibility("hidden")));

struct gwc_component {
    pthread_mutex_t mutex; /* whoever reads or writes what follows holds it */
    int active;
    int enabled;
    int economy;
    double target;
    char room[256];
    gwc_sink changed;
};

static int is(gwc_str a, const char *b) { return same(a, (gwc_str){b, strlen(b)}); }

/* What it says of itself, to the sink and to whoever watches. */
static gwc_status tell(gwc_component *self, gwc_sink out) {
    char json[512];
    int length = snprintf(json, sizeof json,
                          "{\"version\":1,\"application\":\"%s\",\"release\":\"%s\",\"state\":\"%s\","
                          "\"room\":\"%s\",\"heats_to\":%.1f}",
                          HEATER_FACTORY, HEATER_VERSION,
                          !self->active    ? "stopped"
                          : !self->enabled ? "idle"
                                           : "heating",
                          self->room, self->target - (self->economy ? 3 : 0));
    if (length < 0 || (size_t)length >= sizeof json)
        return GWC_E_INTERNAL;
    if (out.put)
        out.put(out.ctx, (gwc_bytes){(const uint8_t *)json, (uint64_t)length});
    return GWC_OK;
}

/* Text for JSON: what would have to be escaped is left out. */
static void keep(char *to, size_t size, gwc_str from) {
    size_t at = 0;
    for (uint64_t i = 0; i < from.len && at + 1 < size; i++) {
        unsigned char c = (unsigned char)from.ptr[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            to[at++] = (char)c;
    }
    to[at] = 0;
}

static void take(gwc_component *self, const gwc_properties *properties) {
    self->enabled = self->economy = 0;
    self->target = 21;
    self->room[0] = 0;
    for (uint64_t i = 0; i < properties->count; i++) {
        const gwc_property *p =
            (const void *)((const char *)properties->items + i * properties->property_size);
        if (p->is_array || p->count != 1)
            continue;
        if (is(p->name, "enabled") && p->type == GWC_TYPE_BOOLEAN)
            self->enabled = *(const uint8_t *)p->values != 0;
        else if (is(p->name, "target-temperature") && p->type == GWC_TYPE_DOUBLE)
            self->target = *(const double *)p->values;
        else if (is(p->name, "mode") && p->type == GWC_TYPE_STRING)
            self->economy = is(*(const gwc_str *)p->values, "economy");
        else if (is(p->name, "room") && p->type == GWC_TYPE_STRING)
            keep(self->room, sizeof self->room, *(const gwc_str *)p->values);
    }
}

/* Every control call begins here, and ends in leave. */
static gwc_status enter(gwc_component *self, gwc_error *err) {
    if (!self)
        return fail(err, GWC_E_INVALID_ARGUMENT, "no instance");
    if (pthread_mutex_trylock(&self->mutex))
        return fail(err, GWC_E_BUSY, "another call of the heater runs");
    return GWC_OK;
}

static gwc_status leave(gwc_component *self, gwc_status status) {
    pthread_mutex_unlock(&self->mutex);
    return status;
}

/* Activation and update differ in what has to be before. */
static gwc_status configure(gwc_component *self, const gwc_properties *properties, int active,
                            gwc_error *err) {
    gwc_status status = enter(self, err);
    if (status)
        return status;
    const char *wrong = judge(properties);
    if (self->active != active)
        status = fail(err, GWC_E_STATE, active ? "the heater is not active" : "the heater is active");
    else if (wrong)
        status = fail(err, GWC_E_INVALID_ARGUMENT, wrong);
    if (status)
        return leave(self, status);
    self->active = 1;
    take(self, properties);
    return leave(self, tell(self, self->changed));
}

static gwc_status activate(gwc_component *self, const gwc_properties *properties, gwc_error *err) {
#ifdef HEATER_DYING
    abort();
#endif
    return configure(self, properties, 0, err);
}

static gwc_status update(gwc_component *self, const gwc_properties *properties, gwc_error *err) {
    return configure(self, properties, 1, err);
}

static gwc_status deactivate(gwc_component *self, gwc_error *err) {
    gwc_status status = enter(self, err);
    if (status)
        return status;
    if (!self->active)
        return leave(self, fail(err, GWC_E_STATE, "the heater is not active"));
    self->active = 0;
    return leave(self, tell(self, self->changed));
}

static gwc_status destroy(gwc_component *self, gwc_error *err) {
    gwc_status status = enter(self, err);
    if (status)
        return status;
    leave(self, GWC_OK);
    pthread_mutex_destroy(&self->mutex);
    free(self);
    return GWC_OK;
}

/* Any thread may ask, so it waits where a control call would be refused. */
static gwc_status get(gwc_component *self, gwc_sink out, gwc_error *err) {
    if (!self || !out.put)
        return fail(err, GWC_E_INVALID_ARGUMENT, "no instance, or a sink without put");
    pthread_mutex_lock(&self->mutex);
    return leave(self, tell(self, out));
}

static gwc_status watch(gwc_component *self, gwc_sink changed, gwc_error *err) {
    if (!self)
        return fail(err, GWC_E_INVALID_ARGUMENT, "no instance");
    pthread_mutex_lock(&self->mutex);
    self->changed = changed;
    return leave(self, GWC_OK);
}

static const void *extension(gwc_component *self, gwc_str id) {
    static const gwc_component_status STATUS = {sizeof STATUS, 0, get, watch};
    return self && is_text(id) && is(id, GWC_EXT_STATUS) ? &STATUS : NULL;
}

static gwc_status metatype(gwc_str pid, gwc_str locale, gwc_sink out, gwc_error *err) {
    (void)locale; /* there is English only */
    if (!is_text(pid) || !out.put)
        return fail(err, GWC_E_INVALID_ARGUMENT, "no factory pid, or a sink without put");
    if (!is(pid, HEATER_FACTORY))
        return fail(err, GWC_E_NOT_FOUND, "the only factory pid is " HEATER_FACTORY);
    gwc_bytes xml = {(const uint8_t *)heater_metatype,
                     (uint64_t)(heater_metatype_end - heater_metatype)};
    out.put(out.ctx, xml);
    return GWC_OK;
}

static gwc_status create(gwc_str pid, const gwc_host *host, gwc_str name, gwc_component **out,
                         gwc_error *err) {
    if (!is_text(pid) || !is_text(name) || !name.len || !out)
        return fail(err, GWC_E_INVALID_ARGUMENT, "no factory pid, name or output");
    if (!host || host->struct_size < sizeof *host || !host->get_extension)
        return fail(err, GWC_E_INVALID_ARGUMENT, "no gwc_host");
    if (!is(pid, HEATER_FACTORY))
        return fail(err, GWC_E_NOT_FOUND, "the only factory pid is " HEATER_FACTORY);
    gwc_component *self = calloc(1, sizeof *self);
    if (!self)
        return fail(err, GWC_E_INTERNAL, "no memory");
    pthread_mutex_init(&self->mutex, NULL);
    *out = self;
    return GWC_OK;
}

#define NAME(s) {s, sizeof s - 1}

static const gwc_component_info COMPONENT = {sizeof COMPONENT, 0, NAME(HEATER_FACTORY),
                                             NAME("Keeps a room at its temperature")};
static const gwc_component_ops OPS = {sizeof OPS, 0,       activate, update,
                                      deactivate, destroy, extension};
static const gwc_module MODULE = {sizeof MODULE,
                                  GWC_ABI_MAJOR,
                                  GWC_ABI_MINOR,
                                  sizeof COMPONENT,
                                  1,
                                  &COMPONENT,
                                  NAME("heater"),
                                  NAME(HEATER_VERSION),
                                  NAME("Example"),
                                  NAME("2026-11-24T00:00:00Z"),
                                  metatype,
                                  create,
                                  &OPS};

#ifdef HEATER_UNLINKED
void heater_that_nobody_made(void);
__attribute__((visibility("default"))) void heater_ignite(void) { heater_that_nobody_made(); }
#endif

#ifdef HEATER_FATAL
__attribute__((constructor)) static void fatal(void) { abort(); }
#endif

#ifdef HEATER_MUTE
const gwc_module *heater_entry(uint32_t major) { return major == GWC_ABI_MAJOR ? &MODULE : NULL; }
#else
__attribute__((visibility("default"))) const gwc_module *gwc_entry(uint32_t major) {
    return major == GWC_ABI_MAJOR ? &MODULE : NULL;
}
#endif
