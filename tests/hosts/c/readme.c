#include <dlfcn.h>
#include <stdio.h>
#include <gwc/ext/status.h>
#include <gwc/gwc.h>

static const void *service(void *ctx, gwc_str id) { return (void)ctx, (void)id, NULL; } /* yours: storage, keystore, ... */
static void show(void *ctx, gwc_bytes json) { (void)ctx, printf("%.*s\n", (int)json.len, (const char *)json.ptr); }

int main(int argc, char **argv) {
    gwc_entry_fn entry = NULL;
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library) *(void **)&entry = dlsym(library, GWC_ENTRY_SYMBOL);
    const gwc_module *module = entry ? entry(GWC_ABI_MAJOR) : NULL;
    if (!module) return fprintf(stderr, "no component library\n"), 2;
    gwc_host host = {sizeof host, 0, NULL, {"my-gateway", 10}, {"1.0", 3}, service};
    gwc_properties none = {sizeof none, sizeof(gwc_property), 0, NULL};
    gwc_component *component = NULL;
    if (module->create(module->components->factory_pid, &host, (gwc_str){"first", 5}, &component, NULL)) return 1;
    const gwc_component_status *status = module->ops->get_extension(component, (gwc_str){GWC_EXT_STATUS, sizeof GWC_EXT_STATUS - 1});
    if (!module->ops->activate(component, &none, NULL) && status) status->get(component, (gwc_sink){NULL, show}, NULL);
    return module->ops->destroy(component, NULL); /* deactivates it first */
}
