/*
 * A plugin for the tests of the sample host: its component says what its parameter `document`
 * tells it to say, so that a test can bring the host before any status there is. It provisions
 * nothing. Built by the tests with the system's compiler.
 */
#define _DEFAULT_SOURCE /* ualarm */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gwc/entry.h"
#include "gwc/ext/action.h"
#include "gwc/ext/identity.h"
#include "gwc/ext/preflight.h"
#include "gwc/ext/status.h"

#define PID "gwc.provisioning.ProvisioningService"

struct gwc_component {
    char *document; /* the status */
    uint64_t len;
    gwc_sink changed;
};

static gwc_str text(const char *s) {
    gwc_str t = {s, strlen(s)};
    return t;
}

static int is(gwc_str a, const char *b) {
    return a.len == strlen(b) && memcmp(a.ptr, b, a.len) == 0;
}

static gwc_status put(gwc_sink out, const char *s, uint64_t len) {
    gwc_bytes bytes = {(const uint8_t *)s, len};
    out.put(out.ctx, bytes);
    return GWC_OK;
}

static const char METATYPE[] =
    "<MetaData xmlns=\"http://www.osgi.org/xmlns/metatype/v1.2.0\" localization=\"en_us\">"
    "<OCD id=\"" PID "\" name=\"ProvisioningService\" description=\"For tests.\">"
    "<AD id=\"enabled\" name=\"Enabled\" type=\"Boolean\" cardinality=\"0\" required=\"true\""
    " default=\"false\" description=\"Starts.\"/>"
    "<AD id=\"provisioned\" name=\"Provisioned\" type=\"Boolean\" cardinality=\"0\""
    " required=\"true\" default=\"false\" min=\"0\" max=\"0\" description=\"State.\"/>"
    "<AD id=\"password\" name=\"Password\" type=\"Password\" cardinality=\"0\""
    " required=\"false\" description=\"Secret.\"/>"
    "<AD id=\"retry-interval\" name=\"Retry interval\" type=\"Integer\" cardinality=\"0\""
    " required=\"true\" default=\"60\" min=\"1\" max=\"86400\" description=\"Seconds.\"/>"
    "<AD id=\"document\" name=\"Document\" type=\"String\" cardinality=\"0\" required=\"false\""
    " default=\"\" description=\"What the status says.|TextArea\"/>"
    "</OCD><Designate pid=\"" PID "\" factoryPid=\"" PID "\"><Object ocdref=\"" PID "\"/></Designate>"
    "</MetaData>";

static gwc_status metatype(gwc_str pid, gwc_str locale, gwc_sink out, gwc_error *err) {
    (void)pid, (void)locale, (void)err;
    return put(out, METATYPE, sizeof METATYPE - 1);
}

static gwc_status create(gwc_str pid, const gwc_host *host, gwc_str name, gwc_component **out,
                         gwc_error *err) {
    (void)pid, (void)host, (void)name, (void)err;
    *out = calloc(1, sizeof **out);
    return *out ? GWC_OK : GWC_E_INTERNAL;
}

static gwc_status say(gwc_component *self, const char *s, uint64_t len) {
    char *copy = malloc(len + 1);
    if (!copy)
        return GWC_E_INTERNAL;
    memcpy(copy, s, len);
    copy[len] = 0;
    free(self->document);
    self->document = copy;
    self->len = len;
    return self->changed.put ? put(self->changed, copy, len) : GWC_OK;
}

#ifdef CRASH_WHEN_OPENED
__attribute__((constructor)) static void crash(void) {
    abort();
}
#endif

static gwc_status take(gwc_component *self, const gwc_properties *properties, gwc_error *err) {
    (void)err;
    gwc_str document = text("{\"version\":1}");
    for (uint64_t i = 0; i < properties->count; i++) {
        const gwc_property *p = (const void *)((const char *)properties->items + i * properties->property_size);
        if (is(p->name, "document") && p->type == GWC_TYPE_STRING && p->count == 1)
            document = *(const gwc_str *)p->values;
    }
    if (is(document, "\"crash\""))
        abort();
    if (is(document, "\"crash soon\""))
        ualarm(200000, 0); /* SIGALRM, which nobody handles */
    if (is(document, "\"crash later\""))
        alarm(4);
    return document.len ? say(self, document.ptr, document.len) : say(self, "{}", 2);
}

static gwc_status deactivate(gwc_component *self, gwc_error *err) {
    (void)self, (void)err;
    return GWC_OK;
}

static gwc_status destroy(gwc_component *self, gwc_error *err) {
    (void)err;
    free(self->document);
    free(self);
    return GWC_OK;
}

static gwc_status get(gwc_component *self, gwc_sink out, gwc_error *err) {
    (void)err;
    return put(out, self->document, self->len);
}

static gwc_status watch(gwc_component *self, gwc_sink changed, gwc_error *err) {
    (void)err;
    self->changed = changed;
    return GWC_OK;
}

static const char IDENTITY[] = "{\"client_id\":\"0011AABBCCDD\",\"username\":\"0011AABBCCDD-SN1\"}";
static const char CHECKS[] =
    "[{\"name\":\"identity\",\"passed\":true,\"detail\":\"\",\"code\":null},"
    "{\"name\":\"clock\",\"passed\":false,\"detail\":\"it is 1970\",\"code\":\"clock.implausible\"}]";

static gwc_status identity(gwc_component *self, gwc_sink out, gwc_error *err) {
    (void)self, (void)err;
    return put(out, IDENTITY, sizeof IDENTITY - 1);
}

static gwc_status preflight(gwc_component *self, gwc_sink out, gwc_error *err) {
    (void)self, (void)err;
    return put(out, CHECKS, sizeof CHECKS - 1);
}

static gwc_status done(gwc_component *self, gwc_error *err) {
    (void)self, (void)err;
    return GWC_OK;
}

static gwc_status no_pause(gwc_component *self, gwc_error *err) {
    (void)self;
    if (err) {
        strcpy(err->code, "action.refused");
        strcpy(err->message, "there is no pause to end");
        err->status = GWC_E_STATE;
    }
    return GWC_E_STATE;
}

static const void *extension(gwc_component *self, gwc_str id) {
    (void)self;
    static const gwc_component_status STATUS = {sizeof STATUS, 0, get, watch};
    static const gwc_identity WHO = {sizeof WHO, 0, identity};
    static const gwc_preflight PREFLIGHT = {sizeof PREFLIGHT, 0, preflight};
    static const gwc_action ACTION = {sizeof ACTION, 0, no_pause, done, done, done};
    return is(id, GWC_EXT_STATUS)      ? (const void *)&STATUS
           : is(id, GWC_EXT_IDENTITY)  ? (const void *)&WHO
           : is(id, GWC_EXT_PREFLIGHT) ? (const void *)&PREFLIGHT
           : is(id, GWC_EXT_ACTION)    ? (const void *)&ACTION
                                       : NULL;
}

#define TEXT(s) {s, sizeof s - 1}

static const gwc_component_info COMPONENT = {sizeof COMPONENT, 0, TEXT(PID), TEXT("For tests")};
static const gwc_component_ops OPS = {sizeof OPS, 0, take, take, deactivate, destroy, extension};
static const gwc_module MODULE = {
    sizeof MODULE, GWC_ABI_MAJOR, GWC_ABI_MINOR, sizeof COMPONENT, 1, &COMPONENT,
    TEXT("test-plugin"), TEXT("1.2.3"), TEXT("Tests"), TEXT("2026-01-01T00:00:00Z"),
    metatype, create, &OPS};

__attribute__((visibility("default"))) const gwc_module *gwc_entry(uint32_t major) {
    return major == GWC_ABI_MAJOR ? &MODULE : NULL;
}
