/* Fails or kills the process at the n-th call that touches a file system: preloaded (LD_PRELOAD) by a test, on Linux.
 *
 *   FAIL_NTH   which call, from 1; 0 or nothing: none
 *   FAIL_MODE  "eio": the call fails with EIO; "kill": SIGKILL before the call, in the midst of it for a write
 *   FAIL_MARK  a file that is made when that happened, with the call's name in it: a test knows a spared run by it
 *
 * Counted are calls on regular files and folders, of every thread; standard streams, pipes and sockets are not.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

static int calls;

/* Whether it is this call's turn. All by bare system calls, which nobody counts. */
static int turn(const char *call) {
    const char *nth = getenv("FAIL_NTH");
    int want = nth ? atoi(nth) : 0;
    if (want <= 0 || __atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) != want) return 0;
    const char *mark = getenv("FAIL_MARK");
    if (mark) {
        long fd = syscall(SYS_openat, AT_FDCWD, mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        if (fd >= 0) {
            syscall(SYS_write, fd, call, strlen(call));
            syscall(SYS_close, fd);
        }
    }
    return 1;
}

static int kills(void) {
    const char *mode = getenv("FAIL_MODE");
    return mode && strcmp(mode, "kill") == 0;
}

static void die(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;) syscall(SYS_exit_group, 137);
}

static int fails(const char *call) {
    if (!turn(call)) return 0;
    if (kills()) die();
    errno = EIO;
    return 1;
}

static int is_of_files(int fd) {
    struct stat about;
    return fd > 2 && fstat(fd, &about) == 0 && (S_ISREG(about.st_mode) || S_ISDIR(about.st_mode));
}

/* What would have been called without us. */
#define NEXT(name)                                                                                  \
    static __typeof__(&name) next;                                                                  \
    if (!next) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define OPEN(name)                                                                                  \
    int name(const char *path, int flags, ...) {                                                    \
        NEXT(name);                                                                                 \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more);      \
        return fails(#name) ? -1 : next(path, flags, mode);                                         \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                \
    int name(int at, const char *path, int flags, ...) {                                            \
        NEXT(name);                                                                                 \
        va_list more; va_start(more, flags); mode_t mode = va_arg(more, mode_t); va_end(more);      \
        return fails(#name) ? -1 : next(at, path, flags, mode);                                     \
    }
OPENAT(openat)
OPENAT(openat64)

ssize_t write(int fd, const void *bytes, size_t count) {
    NEXT(write);
    if (is_of_files(fd) && turn("write")) {
        if (kills()) {
            syscall(SYS_write, fd, bytes, count / 2);
            die();
        }
        errno = EIO;
        return -1;
    }
    return next(fd, bytes, count);
}

#define ON_FD(name)                                                                                 \
    int name(int fd) { NEXT(name); return is_of_files(fd) && fails(#name) ? -1 : next(fd); }
ON_FD(fsync)
ON_FD(fdatasync)

int fchmod(int fd, mode_t mode) {
    NEXT(fchmod);
    return is_of_files(fd) && fails("fchmod") ? -1 : next(fd, mode);
}

#define TRUNCATE(name, type)                                                                        \
    int name(int fd, type to) { NEXT(name); return is_of_files(fd) && fails(#name) ? -1 : next(fd, to); }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define ON_TWO(name)                                                                                \
    int name(const char *from, const char *to) {                                                    \
        NEXT(name);                                                                                 \
        return fails(#name) ? -1 : next(from, to);                                                  \
    }
ON_TWO(rename)
ON_TWO(link)

int renameat(int from_at, const char *from, int to_at, const char *to) {
    NEXT(renameat);
    return fails("renameat") ? -1 : next(from_at, from, to_at, to);
}

int renameat2(int from_at, const char *from, int to_at, const char *to, unsigned flags) {
    NEXT(renameat2);
    return fails("renameat2") ? -1 : next(from_at, from, to_at, to, flags);
}

int linkat(int from_at, const char *from, int to_at, const char *to, int flags) {
    NEXT(linkat);
    return fails("linkat") ? -1 : next(from_at, from, to_at, to, flags);
}

int unlink(const char *path) {
    NEXT(unlink);
    return fails("unlink") ? -1 : next(path);
}

int unlinkat(int at, const char *path, int flags) {
    NEXT(unlinkat);
    return fails("unlinkat") ? -1 : next(at, path, flags);
}

int mkdir(const char *path, mode_t mode) {
    NEXT(mkdir);
    return fails("mkdir") ? -1 : next(path, mode);
}
