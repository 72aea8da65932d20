/* An allocator that looks into what it is given back: a block that still holds one of the texts in
 * the file GWC_TEST_SECRETS (one a line) is written down in GWC_TEST_FOUND, with who freed it.
 * What is overwritten soon afterwards by others is seen too, which a look into the memory may miss.
 *
 * A block that grows always moves here, as it does when there is something behind it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

extern void __libc_free(void *block);
extern void *__libc_malloc(size_t size);

static const char *secrets;
static int found = -1;
static __thread int inside;

__attribute__((constructor)) static void prepare(void) {
    const char *file = getenv("GWC_TEST_SECRETS"), *report = getenv("GWC_TEST_FOUND");
    int from = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
    struct stat about;
    if (from < 0 || !report || fstat(from, &about)) {
        return;
    }
    /* One byte more: what is behind the end of a file is zero. */
    void *text = mmap(NULL, about.st_size + 1, PROT_READ, MAP_PRIVATE, from, 0);
    close(from);
    void *warm[1];
    backtrace(warm, 1);
    found = open(report, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    secrets = text == MAP_FAILED ? NULL : text;
}

static void look(char *block) {
    /* The kernel takes back the pages of a large block at once, and nobody gets them unwiped. */
    const size_t of_its_own = 2;
    if (((const size_t *)block)[-1] & of_its_own) {
        return;
    }
    size_t size = malloc_usable_size(block);
    for (const char *line = secrets; *line; line += strcspn(line, "\n") + 1) {
        size_t length = strcspn(line, "\n");
        if (length && size >= length && memmem(block, size, line, length)) {
            void *callers[40];
            int depth = backtrace(callers, 40);
            dprintf(found, "%.*s, in %zu bytes, freed by\n", (int)length, line, size);
            backtrace_symbols_fd(callers, depth, found);
            /* Or whoever gets it next and does not fill it would be blamed too. */
            memset(block, 0, size);
        }
    }
}

void free(void *block) {
    if (block && secrets && !inside) {
        inside = 1;
        look(block);
        inside = 0;
    }
    __libc_free(block);
}

void *realloc(void *block, size_t size) {
    if (block && !size) {
        free(block);
        return NULL;
    }
    void *moved = __libc_malloc(size);
    if (block && moved) {
        size_t before = malloc_usable_size(block);
        memcpy(moved, block, before < size ? before : size);
        free(block);
    }
    return moved;
}
