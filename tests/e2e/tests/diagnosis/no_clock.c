/* A machine whose clock fails, which no machine's does: the one thing of the system on which Rust's
 * standard library panics. For the thread of the component only, and only while the file is there
 * that GWC_TEST_NO_CLOCK names. */

#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    char name[16] = "";
    const char *file = getenv("GWC_TEST_NO_CLOCK");
    if (file && !prctl(PR_GET_NAME, name) && !strcmp(name, "provisioning") && !access(file, F_OK)) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_clock_gettime, clock, time);
}
