/* Loaded into a process of Longwatch: fails or dies at the nth call that changes a watched file, and shifts its clocks.
 *
 * FAULTS_CONTROL names the file that the test writes and this reads, laid out as `struct control`; FAULTS_FILES is what
 * the absolute names of the watched files begin with. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum kind { NO_FAULT, INPUT_OUTPUT, NO_SPACE, DIE_BEFORE, DIE_AFTER, DIE_HALFWAY };

struct control {
    uint64_t at;        /* the number of the call that fails; 0: none does */
    uint64_t kind;      /* how */
    uint64_t count;     /* calls so far */
    uint64_t fired;     /* 1 once it has failed */
    int64_t wall_ns;    /* added to the wall clock */
    int64_t steady_ns;  /* added to the steady clock */
    uint64_t process;   /* its id */
};

static struct control *control;
static const char *files;
static size_t files_length;

static void give_up(const char *why) {
    dprintf(2, "faults: %s: %s\n", why, strerror(errno));
    _exit(97);
}

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("FAULTS_CONTROL");
    files = getenv("FAULTS_FILES");
    if (!name || !files) give_up("FAULTS_CONTROL or FAULTS_FILES is not set");
    files_length = strlen(files);
    int fd = open(name, O_RDWR | O_CLOEXEC);
    if (fd < 0) give_up(name);
    void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) give_up(name);
    close(fd);
    control = mapped;
    control->process = (uint64_t)getpid();
}

static int is_watched(const char *name) { return control && strncmp(name, files, files_length) == 0; }

static int is_watched_fd(int fd) {
    char link[64], name[PATH_MAX];
    if (!control) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length < 0) return 0;
    name[length] = 0;
    return is_watched(name);
}

static void die(void) {
    syscall(SYS_kill, (pid_t)syscall(SYS_getpid), SIGKILL);
    for (;;) pause();
}

/* Counts a call; the fault that this one meets. */
static enum kind reached(void) {
    uint64_t at = __atomic_load_n(&control->at, __ATOMIC_SEQ_CST);
    uint64_t number = __atomic_add_fetch(&control->count, 1, __ATOMIC_SEQ_CST);
    if (at == 0 || number != at) return NO_FAULT;
    __atomic_store_n(&control->fired, 1, __ATOMIC_SEQ_CST);
    return (enum kind)control->kind;
}

/* Whether the call is to fail without being made; dies where it is to die first. */
static int fails(enum kind kind) {
    if (kind == DIE_BEFORE) die();
    if (kind == INPUT_OUTPUT) errno = EIO;
    if (kind == NO_SPACE) errno = ENOSPC;
    return kind == INPUT_OUTPUT || kind == NO_SPACE;
}

#define CHANGE(watched, whole, half)                     \
    if (!(watched)) return whole;                        \
    enum kind kind = reached();                          \
    if (fails(kind)) return -1;                          \
    if (kind == DIE_HALFWAY) {                           \
        (void)(half);                                    \
        die();                                           \
    }                                                    \
    long done = whole;                                   \
    if (kind == DIE_AFTER) die();                        \
    return done

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at) {
    CHANGE(is_watched_fd(fd), syscall(SYS_pwrite64, fd, bytes, count, at),
           syscall(SYS_pwrite64, fd, bytes, count / 2, at));
}
ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at) { return pwrite64(fd, bytes, count, at); }

ssize_t write(int fd, const void *bytes, size_t count) {
    CHANGE(is_watched_fd(fd), syscall(SYS_write, fd, bytes, count), syscall(SYS_write, fd, bytes, count / 2));
}
int fsync(int fd) { CHANGE(is_watched_fd(fd), syscall(SYS_fsync, fd), 0); }
int fdatasync(int fd) { CHANGE(is_watched_fd(fd), syscall(SYS_fdatasync, fd), 0); }
int ftruncate64(int fd, off64_t length) { CHANGE(is_watched_fd(fd), syscall(SYS_ftruncate, fd, length), 0); }
int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }
int unlink(const char *name) { CHANGE(is_watched(name), syscall(SYS_unlinkat, AT_FDCWD, name, 0), 0); }
int rename(const char *from, const char *to) {
    CHANGE(is_watched(to), syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0), 0);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int failed = (int)syscall(SYS_clock_gettime, clock, time);
    if (failed || !control) return failed;
    int64_t shift = 0;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
        shift = __atomic_load_n(&control->wall_ns, __ATOMIC_SEQ_CST);
    else if (clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE)
        shift = __atomic_load_n(&control->steady_ns, __ATOMIC_SEQ_CST);
    int64_t ns = (int64_t)time->tv_nsec + shift % 1000000000;
    time->tv_sec += shift / 1000000000;
    if (ns >= 1000000000) { ns -= 1000000000; time->tv_sec += 1; }
    if (ns < 0) { ns += 1000000000; time->tv_sec -= 1; }
    time->tv_nsec = ns;
    return 0;
}
