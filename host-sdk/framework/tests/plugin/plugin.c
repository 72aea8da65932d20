/* SPDX-License-Identifier: EPL-2.0 OR Apache-2.0 */
/*
 * A small plugin for tests, in C against include/gwc. It writes down what it is
 * told, asks every host service something on a thread of its own, and shows all
 * of it in its status document. Defines make it another version, or hostile.
 */
#define _DEFAULT_SOURCE /* usleep */
#include <gwc/gwc.h>
#include <gwc/ext/action.h>
#include <gwc/ext/cloud-connection.h>
#include <gwc/ext/configuration.h>
#include <gwc/ext/control-verifier.h>
#include <gwc/ext/crypto.h>
#include <gwc/ext/events.h>
#include <gwc/ext/keystore.h>
#include <gwc/ext/log.h>
#include <gwc/ext/packages.h>
#include <gwc/ext/status.h>
#include <gwc/ext/storage.h>
#include <gwc/ext/system.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef FACTORY
#define FACTORY "test.Echo"
#endif
#ifndef VERSION
#define VERSION "1.0.0"
#endif
#ifndef NAME
#define NAME "echo"
#endif

#define STR(s) ((gwc_str){(s), sizeof(s) - 1})

struct gwc_component {
    gwc_host host;
    char name[128];
    pthread_mutex_t lock;
    pthread_t worker;
    int working;
    int held; /* a descriptor from create to destroy, for those who count */
    char calls[8192];   /* JSON strings, comma-separated */
    char answers[4096]; /* JSON members, comma-separated */
    gwc_sink changed;
};

static gwc_str str(const char *s) {
    gwc_str r = {s, strlen(s)};
    return r;
}

static int is(gwc_str s, const char *text) {
    return s.len == strlen(text) && memcmp(s.ptr, text, s.len) == 0;
}

static gwc_status fail(gwc_error *err, gwc_status status, const char *code, const char *message) {
    if (err) {
        err->status = status;
        snprintf(err->code, sizeof err->code, "%s", code);
        snprintf(err->message, sizeof err->message, "%s", message);
    }
    return status;
}

static void add(char *list, size_t size, const char *format, ...) {
    size_t used = strlen(list);
    va_list args;
    if (used && used + 1 < size) {
        list[used++] = ',';
        list[used] = 0;
    }
    va_start(args, format);
    vsnprintf(list + used, size - used, format, args);
    va_end(args);
}

static void document(gwc_component *self, char *out, size_t size) {
    pthread_mutex_lock(&self->lock);
#ifdef BAD_STATUS
    snprintf(out, size, "this is no JSON");
#else
    snprintf(out, size, "{\"version\":1,\"plugin\":\"" VERSION "\",\"calls\":[%s],\"answers\":{%s}}",
             self->calls, self->answers);
#endif
    pthread_mutex_unlock(&self->lock);
}

static void changed(gwc_component *self) {
    char text[16384];
    document(self, text, sizeof text);
    if (self->changed.put)
        self->changed.put(self->changed.ctx, (gwc_bytes){(const uint8_t *)text, strlen(text)});
}

/* Whatever a host puts, as text. */
struct answer {
    char text[512];
    uint64_t len;
};

static void take(void *ctx, gwc_bytes data) {
    struct answer *a = ctx;
    a->len = data.len < sizeof a->text - 1 ? data.len : sizeof a->text - 1;
    memcpy(a->text, data.ptr, a->len);
    a->text[a->len] = 0;
}

static void take_list(void *ctx, const gwc_configuration_list *list) {
    struct answer *a = ctx;
    a->len = list->count;
    snprintf(a->text, sizeof a->text, "%.*s", (int)list->items->pid.len, list->items->pid.ptr);
}

static void take_entry(void *ctx, const gwc_keystore_entry *entry) {
    struct answer *a = ctx;
    a->len++;
    snprintf(a->text, sizeof a->text, "%.*s", (int)entry->alias.len, entry->alias.ptr);
}

static void take_state(void *ctx, const gwc_connection_state *state) {
    struct answer *a = ctx;
    snprintf(a->text, sizeof a->text, "%.*s", (int)state->pid.len, state->pid.ptr);
}

static void note(gwc_component *self, const char *name, gwc_status status, const char *text) {
    pthread_mutex_lock(&self->lock);
    add(self->answers, sizeof self->answers, "\"%s\":[%d,\"%s\"]", name, (int)status, text);
    pthread_mutex_unlock(&self->lock);
}

static const void *ext(gwc_component *self, const char *id) {
    return self->host.get_extension(self->host.ctx, str(id));
}

static void take_package(void *ctx, const gwc_package *package) {
    struct answer *a = ctx;
    snprintf(a->text, sizeof a->text, "%.*s %.*s", (int)package->name.len, package->name.ptr,
             (int)package->version.len, package->version.ptr);
}

/* Packages: the test has put one into the folder of this component. */
static void apply(gwc_component *self, const gwc_packages *packages, const gwc_storage *storage) {
    void *ctx = self->host.ctx;
    gwc_error err = {.struct_size = sizeof err};
    struct answer folder = {0}, xml = {0}, listed = {0}, after = {0};
    char path[600];
    gwc_status s = storage->folder(ctx, (gwc_sink){&folder, take}, &err);
    snprintf(path, sizeof path, "%s/heater-1.0.0.tar.gz", folder.text);
    s = packages->inspect(ctx, str("heater"), str("1.0.0"), str(path), (gwc_sink){&xml, take}, &err);
    note(self, "inspect", s, memcmp(xml.text, "<?xml", 5) ? "no descriptor" : "a descriptor");
    s = packages->inspect(ctx, str("heater"), str("2.0"), str(path), (gwc_sink){&xml, take}, &err);
    note(self, "inspect another", s, err.code);
    s = packages->install(ctx, str("t/1.0"), str("heater"), str("1.0.0"), str(path), &err);
    note(self, "install", s, "");
    s = packages->list(ctx, (gwc_package_sink){&listed, take_package}, &err);
    note(self, "packages", s, listed.text);
    s = packages->revert(ctx, str("t/1.0"), &err);
    note(self, "revert", s, "");
    packages->list(ctx, (gwc_package_sink){&after, take_package}, &err);
    s = packages->settle(ctx, str("t/1.0"), &err);
    note(self, "settle", s, after.text);
}

static void *work(void *arg) {
    gwc_component *self = arg;
    void *ctx = self->host.ctx;
    gwc_error err = {.struct_size = sizeof err};
    gwc_status s;

    const gwc_storage *storage = ext(self, GWC_EXT_STORAGE);
    if (storage) {
        struct answer a = {0};
        s = storage->folder(ctx, (gwc_sink){&a, take}, &err);
        note(self, "storage", s, a.text);
    }
    const gwc_system *system = ext(self, GWC_EXT_SYSTEM);
    if (system) {
        struct answer a = {0};
        s = system->get(ctx, str(GWC_SYSTEM_SERIAL_NUMBER), (gwc_sink){&a, take}, &err);
        note(self, "serial", s, a.text);
        s = system->get(ctx, str("no.such.property"), (gwc_sink){&a, take}, &err);
        note(self, "unknown", s, err.code);
        s = system->get(ctx, (gwc_str){NULL, 7}, (gwc_sink){&a, take}, &err);
        note(self, "null text", s, err.code);
        s = system->get(ctx, str(GWC_SYSTEM_SERIAL_NUMBER), (gwc_sink){NULL, NULL}, NULL);
        note(self, "null sink", s, "");
        s = system->get(NULL, str(GWC_SYSTEM_SERIAL_NUMBER), (gwc_sink){&a, take}, &err);
        note(self, "null ctx", s, err.code);
    }
    const gwc_configuration *configuration = ext(self, GWC_EXT_CONFIGURATION);
    if (configuration) {
        struct answer a = {0};
        s = configuration->get(ctx, str(self->name), 0, (gwc_configuration_sink){&a, take_list}, &err);
        note(self, "configuration", s, a.text);
        s = configuration->get(ctx, str("nobody"), 0, (gwc_configuration_sink){&a, take_list}, &err);
        note(self, "nobody", s, err.code);
    }
    const gwc_keystore *keystore = ext(self, GWC_EXT_KEYSTORE);
    if (keystore) {
        struct answer a = {0};
        s = keystore->create_key(ctx, str("k/1"), str("SSLKeystore"), str("mine"), str("EC"), 256, &err);
        note(self, "create key", s, "");
        s = keystore->list(ctx, str("SSLKeystore"), (gwc_keystore_sink){&a, take_entry}, &err);
        note(self, "keystore", s, a.text);
        s = keystore->list(ctx, str("NoKeystore"), (gwc_keystore_sink){&a, take_entry}, &err);
        note(self, "no keystore", s, err.code);
    }
    const gwc_crypto *crypto = ext(self, GWC_EXT_CRYPTO);
    if (crypto) {
        struct answer sealed = {0}, clear = {0};
        s = crypto->encrypt(ctx, (gwc_bytes){(const uint8_t *)"hush", 4}, (gwc_sink){&sealed, take}, &err);
        note(self, "encrypt", s, memcmp(sealed.text, "hush", 4) ? "sealed" : "in clear");
        s = crypto->decrypt(ctx, (gwc_bytes){(const uint8_t *)sealed.text, sealed.len},
                            (gwc_sink){&clear, take}, &err);
        note(self, "decrypt", s, clear.text);
    }
    const gwc_cloud_connection *cloud = ext(self, GWC_EXT_CLOUD_CONNECTION);
    if (cloud) {
        struct answer a = {0};
        s = cloud->describe(ctx, (gwc_connection_sink){&a, take_state}, &err);
        note(self, "connection", s, a.text);
    }
    const gwc_events *events = ext(self, GWC_EXT_EVENTS);
    if (events) {
        s = events->post(ctx, str("test/hello"), str("{\"n\":1}"), &err);
        note(self, "post", s, "");
        s = events->post(ctx, str("test/hello"), str("[1]"), &err);
        note(self, "post no object", s, err.code);
    }
    const gwc_packages *packages = ext(self, GWC_EXT_PACKAGES);
    if (packages && storage)
        apply(self, packages, storage);
    else
        note(self, "packages", packages != NULL, "");
    note(self, "done", 0, "");
    changed(self);
    return NULL;
}

static void join(gwc_component *self) {
    if (self->working) {
        pthread_join(self->worker, NULL);
        self->working = 0;
    }
}

/* Writes a call down: its name, and the properties message and number. */
static void record(gwc_component *self, const char *call, const gwc_properties *p) {
    char message[256] = "-", named[128] = "-";
    int number = -1;
    for (uint64_t i = 0; p && i < p->count; i++) {
        const gwc_property *q = (const gwc_property *)((const char *)p->items + i * p->property_size);
        const gwc_str *text = q->values;
        if (is(q->name, "message") && q->type == GWC_TYPE_STRING)
            snprintf(message, sizeof message, "%.*s", (int)text->len, text->ptr);
        if (is(q->name, "secret") && q->type == GWC_TYPE_PASSWORD && text->len)
            snprintf(named, sizeof named, "%.*s", (int)text->len, text->ptr);
        if (is(q->name, "number") && q->type == GWC_TYPE_INTEGER)
            number = *(const int32_t *)q->values;
        if (is(q->name, "slow") && q->type == GWC_TYPE_INTEGER)
            usleep((useconds_t)(*(const int32_t *)q->values) * 1000);
    }
    pthread_mutex_lock(&self->lock);
    add(self->calls, sizeof self->calls, "\"%s %s %d %s\"", call, message, number, named);
    pthread_mutex_unlock(&self->lock);
}

static gwc_status activate(gwc_component *self, const gwc_properties *p, gwc_error *err) {
    const gwc_log *log = ext(self, GWC_EXT_LOG);
    const gwc_system *system = ext(self, GWC_EXT_SYSTEM);
#ifdef NO_ACTIVATE
    return fail(err, GWC_E_INVALID, "test.refused", "this one never starts");
#endif
    record(self, "activate", p);
    if (log)
        log->write(self->host.ctx, GWC_LOG_INFO, str("echo"), str("hello\nfrom C"));
    if (system) {
        struct answer a = {0};
        gwc_error e = {.struct_size = sizeof e};
        gwc_status s = system->get(self->host.ctx, str("os.name"), (gwc_sink){&a, take}, &e);
        note(self, "from activate", s, e.code);
    }
    if (pthread_create(&self->worker, NULL, work, self))
        return fail(err, GWC_E_INTERNAL, "test.thread", "no thread");
    self->working = 1;
    return GWC_OK;
}

static gwc_status update(gwc_component *self, const gwc_properties *p, gwc_error *err) {
#ifdef PANICKED
    return fail(err, GWC_E_PANIC, "internal.panic", "a defect");
#endif
    (void)err;
    record(self, "update", p);
    changed(self);
    return GWC_OK;
}

static gwc_status deactivate(gwc_component *self, gwc_error *err) {
    (void)err;
    join(self);
    record(self, "deactivate", NULL);
    changed(self);
    return GWC_OK;
}

static gwc_status destroy(gwc_component *self, gwc_error *err) {
#ifdef NO_DESTROY
    return fail(err, GWC_E_INTERNAL, "test.stays", "this one never ends");
#endif
    (void)err;
    join(self);
    pthread_mutex_destroy(&self->lock);
    close(self->held);
    free(self);
    return GWC_OK;
}

static gwc_status status_get(gwc_component *self, gwc_sink out, gwc_error *err) {
    char text[16384];
    (void)err;
#ifndef SILENT_STATUS
    document(self, text, sizeof text);
    out.put(out.ctx, (gwc_bytes){(const uint8_t *)text, strlen(text)});
#endif
    return GWC_OK;
}

static gwc_status status_watch(gwc_component *self, gwc_sink sink, gwc_error *err) {
    (void)err;
    self->changed = sink;
    return GWC_OK;
}

static gwc_status retry_now(gwc_component *self, gwc_error *err) {
    (void)self;
    return fail(err, GWC_E_STATE, "test.idle", "there is no pause to end");
}

/* Whether the bytes hold the text. */
static int holds(gwc_bytes data, const char *text) {
    size_t len = strlen(text);
    for (uint64_t i = 0; i + len <= data.len; i++)
        if (memcmp(data.ptr + i, text, len) == 0)
            return 1;
    return 0;
}

/* Believes what the message says of its own signature. */
static gwc_status verify(gwc_component *self, gwc_str account, gwc_str client_id, gwc_str topic,
                         gwc_bytes payload, gwc_error *err) {
    static const char *const CODES[] = {"signature.invalid", "signature.untrusted", "signature.replayed",
                                        "clock.implausible", "novel.code"};
    (void)self;
    (void)client_id;
    if (!is(account, "acme") || !topic.len)
        return fail(err, GWC_E_DENIED, "signature.invalid", "signed for somebody else");
    if (holds(payload, "signed well"))
        return GWC_OK;
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++)
        if (holds(payload, CODES[i]))
            return fail(err, GWC_E_DENIED, CODES[i], "as it says");
    return fail(err, GWC_E_DENIED, "signature.missing", "not signed");
}

static const gwc_control_verifier VERIFIER = {sizeof(gwc_control_verifier), 0, verify};
static const gwc_component_status STATUS = {sizeof(gwc_component_status), 0, status_get, status_watch};
static const gwc_action ACTION = {sizeof(gwc_action), 0, retry_now, NULL, NULL, NULL};

static const void *get_extension(gwc_component *self, gwc_str id) {
    (void)self;
    if (is(id, GWC_EXT_STATUS))
        return &STATUS;
    if (is(id, GWC_EXT_ACTION))
        return &ACTION;
#ifdef OFFER_VERIFIER
    if (is(id, GWC_EXT_CONTROL_VERIFIER))
        return &VERIFIER;
#endif
    return NULL;
}

static gwc_status metatype(gwc_str factory_pid, gwc_str locale, gwc_sink out, gwc_error *err) {
    static const char XML[] =
        "<MetaData xmlns='http://www.osgi.org/xmlns/metatype/v1.2.0'><OCD id='" FACTORY "' name='Echo'>"
        "<AD id='message' type='String' cardinality='0' required='true' default='none'/>"
        "<AD id='number' type='Integer' cardinality='0' required='true' default='7' min='0'/>"
        "<AD id='slow' type='Integer' cardinality='0' required='false'/>"
        "<AD id='secret' type='Password' cardinality='0' required='false'/>"
        "</OCD><Designate factoryPid='" FACTORY "'><Object ocdref='" FACTORY "'/></Designate></MetaData>";
    (void)locale;
    if (!is(factory_pid, FACTORY))
        return fail(err, GWC_E_NOT_FOUND, "test.unknown", "no such factory pid");
#ifndef SILENT_METATYPE
    out.put(out.ctx, (gwc_bytes){(const uint8_t *)XML, sizeof XML - 1});
#endif
    return GWC_OK;
}

static gwc_status create(gwc_str factory_pid, const gwc_host *host, gwc_str name, gwc_component **out,
                         gwc_error *err) {
    gwc_component *self;
    if (!is(factory_pid, FACTORY))
        return fail(err, GWC_E_NOT_FOUND, "test.unknown", "no such factory pid");
#ifdef NO_INSTANCE
    return GWC_OK;
#endif
    self = calloc(1, sizeof *self);
    if (!self)
        return fail(err, GWC_E_INTERNAL, "test.memory", "no memory");
    self->host = *host;
    snprintf(self->name, sizeof self->name, "%.*s", (int)name.len, name.ptr);
    pthread_mutex_init(&self->lock, NULL);
    self->held = open("/dev/null", O_RDONLY | O_CLOEXEC);
    *out = self;
    return GWC_OK;
}

static const gwc_component_ops OPS = {
    sizeof(gwc_component_ops), 0, activate, update, deactivate,
#ifdef NULL_DESTROY
    NULL,
#else
    destroy,
#endif
    get_extension,
};

static const gwc_component_info COMPONENTS[] = {
    {sizeof(gwc_component_info), 0, {FACTORY, sizeof(FACTORY) - 1}, {"Echo", 4}},
};

static const gwc_module MODULE = {
#ifdef SHORT_MODULE
    .struct_size = 40,
#else
    .struct_size = sizeof(gwc_module),
#endif
#ifdef LYING_MAJOR
    .abi_major = 9,
#else
    .abi_major = GWC_ABI_MAJOR,
#endif
    .abi_minor = GWC_ABI_MINOR,
    .component_size = sizeof(gwc_component_info),
#ifdef MANY_COMPONENTS
    .component_count = 1000000,
#else
    .component_count = 1,
#endif
    .components = COMPONENTS,
#ifdef BAD_TEXT
    .name = {"\xff\xfe", 2},
#else
    .name = {NAME, sizeof(NAME) - 1},
#endif
    .version = {VERSION, sizeof(VERSION) - 1},
    .vendor = {"tests", 5},
    .build_date = {"2024-01-01T00:00:00Z", 20},
    .metatype = metatype,
#ifndef NULL_CREATE
    .create = create,
#endif
#ifndef NULL_OPS
    .ops = &OPS,
#endif
};

#ifdef MISSING_SYMBOL
extern int nowhere_to_be_found(void);
int uses_it(void) { return nowhere_to_be_found(); }
#endif

#ifdef NO_ENTRY
const gwc_module *other_entry(uint32_t major) { return major ? &MODULE : NULL; }
#else
const gwc_module *gwc_entry(uint32_t host_abi_major) {
#ifdef OTHER_MAJOR
    return host_abi_major == 2 || host_abi_major == 3 ? &MODULE : NULL;
#else
    return host_abi_major == GWC_ABI_MAJOR ? &MODULE : NULL;
#endif
}
#endif
