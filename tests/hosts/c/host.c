/* A host in C: loads a library, gives one component five services, watches it work, ends it. */
#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <gwc/ext/configuration.h>
#include <gwc/ext/keystore.h>
#include <gwc/ext/log.h>
#include <gwc/ext/status.h>
#include <gwc/ext/storage.h>
#include <gwc/ext/system.h>
#include <gwc/gwc.h>

#define UNUSED(x) ((void)(x))
static gwc_str str(const char *text) { return (gwc_str){text, strlen(text)}; }
static gwc_bytes bytes(const char *text) { return (gwc_bytes){(const uint8_t *)text, strlen(text)}; }
static int is(gwc_str a, const char *b) { return a.len == strlen(b) && memcmp(a.ptr, b, a.len) == 0; }

/* The configuration: four parameters, all of them quiet. */
static const uint8_t no = 0;
static const int32_t interval = 30;
static const gwc_str url = {"mqtts://broker.example:9883", 27}, account = {"claims", 6};
static const gwc_property items[] = {
    {sizeof(gwc_property), GWC_TYPE_BOOLEAN, 0, 1, {"enabled", 7}, &no},
    {sizeof(gwc_property), GWC_TYPE_STRING, 0, 1, {"broker-url", 10}, &url},
    {sizeof(gwc_property), GWC_TYPE_STRING, 0, 1, {"account-name", 12}, &account},
    {sizeof(gwc_property), GWC_TYPE_INTEGER, 0, 1, {"retry-interval", 14}, &interval}};
static const gwc_properties own = {sizeof own, sizeof(gwc_property), 4, items};

/* The services. A host with many components tells them apart by ctx; here it is the folder. */
static uint32_t max_level(void *ctx) { return UNUSED(ctx), GWC_LOG_INFO; }
static void line(void *ctx, uint32_t level, gwc_str target, gwc_str text) {
    UNUSED(ctx), UNUSED(target);
    fprintf(stderr, "%u %.*s\n", (unsigned)level, (int)text.len, text.ptr);
}
static gwc_status folder(void *ctx, gwc_sink out, gwc_error *err) {
    return UNUSED(err), out.put(out.ctx, bytes(ctx)), GWC_OK;
}
static gwc_status fact(void *ctx, gwc_str name, gwc_sink out, gwc_error *err) {
    UNUSED(ctx), UNUSED(err);
    if (!is(name, GWC_SYSTEM_SERIAL_NUMBER)) return GWC_E_NOT_FOUND;
    return out.put(out.ctx, bytes("C-0001")), GWC_OK;
}
static gwc_status entries(void *ctx, gwc_str store, gwc_keystore_sink out, gwc_error *err) {
    return UNUSED(ctx), UNUSED(store), UNUSED(out.ctx), UNUSED(err), GWC_OK; /* there are none */
}
static gwc_status get(void *ctx, gwc_str pid, uint32_t flags, gwc_configuration_sink out, gwc_error *err) {
    gwc_configuration_item item = {sizeof item, 0, {"first", 5}, {NULL, 0}, &own};
    gwc_configuration_list list = {sizeof list, sizeof item, 1, &item};
    UNUSED(ctx), UNUSED(flags), UNUSED(err);
    if (pid.len != 0 && !is(pid, "first")) return GWC_E_NOT_FOUND;
    return out.put(out.ctx, &list), GWC_OK;
}
static const gwc_log log_table = {sizeof log_table, 0, max_level, line};
static const gwc_storage storage = {sizeof storage, 0, folder};
static const gwc_system facts = {sizeof facts, 0, fact};
static const gwc_keystore keystore = {.struct_size = sizeof keystore, .list = entries};
static const gwc_configuration configuration = {.struct_size = sizeof configuration, .get = get};
static const void *service(void *ctx, gwc_str id) {
    UNUSED(ctx);
    if (is(id, GWC_EXT_LOG)) return &log_table;
    if (is(id, GWC_EXT_STORAGE)) return &storage;
    if (is(id, GWC_EXT_SYSTEM)) return &facts;
    if (is(id, GWC_EXT_KEYSTORE)) return &keystore;
    return is(id, GWC_EXT_CONFIGURATION) ? &configuration : NULL;
}

/* What the component says. Changes come on its own thread; the one that says it has settled is awaited:
 * before it there may be others, as while it reads its journal. */
static const gwc_str settled = {"\"state\":\"idle\"", 14};
static sem_t configured;
static void text(void *label, gwc_bytes data) {
    printf("%s %.*s\n", (const char *)label, (int)data.len, (const char *)data.ptr);
}
static void changed(void *label, gwc_bytes data) {
    text(label, data);
    for (uint64_t at = 0; at + settled.len <= data.len; at++)
        if (memcmp(data.ptr + at, settled.ptr, settled.len) == 0) { sem_post(&configured); return; }
}

int main(int argc, char **argv) { /* host LIBRARY FOLDER */
    gwc_error err = {sizeof err, GWC_OK, "", ""};
    gwc_entry_fn entry = NULL;
    void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library) *(void **)&entry = dlsym(library, GWC_ENTRY_SYMBOL);
    const gwc_module *module = entry ? entry(GWC_ABI_MAJOR) : NULL;
    if (!module) return fprintf(stderr, "no component library for version %u\n", GWC_ABI_MAJOR), 2;
    gwc_str pid = module->components->factory_pid;
    printf("module %.*s %.*s\n", (int)module->name.len, module->name.ptr, (int)module->version.len, module->version.ptr);
    if (module->metatype(pid, str(""), (gwc_sink){"metatype", text}, &err)) goto failed;

    gwc_host host = {sizeof host, 0, argv[2], {"c-host", 6}, {"1", 1}, service};
    gwc_component *component = NULL;
    if (module->create(pid, &host, str("first"), &component, &err)) goto failed;
    const gwc_component_status *status = module->ops->get_extension(component, str(GWC_EXT_STATUS));
    if (!status) return fprintf(stderr, "no %s\n", GWC_EXT_STATUS), 1;

    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 10;
    sem_init(&configured, 0, 0);
    if (status->watch(component, (gwc_sink){"changed", changed}, &err)) goto failed;
    if (module->ops->activate(component, &own, &err)) goto failed;
    if (sem_timedwait(&configured, &deadline)) return fprintf(stderr, "no status within 10 s\n"), 1;
    if (module->ops->deactivate(component, &err)) goto failed;
    if (status->get(component, (gwc_sink){"status", text}, &err)) goto failed;
    if (module->ops->destroy(component, &err)) goto failed;
    return puts("destroyed"), dlclose(library);
failed:
    return fprintf(stderr, "%d %s: %s\n", (int)err.status, err.code, err.message), 1;
}
