/*
 * A failing disk for a process of a test, preloaded in front of libc: while the trigger file exists, writes or syncs of files
 * below a path fail as they do when a device is broken or full. The code under test is the production code, unchanged.
 *
 *   CAIRN_FAULT_TRIGGER  file whose first line says what fails: "<write|sync> <EIO|ENOSPC> <beginning of the path>"; with a
 *                        "$" behind it, the whole path
 *
 * Each failed call leaves a line in "<trigger>.hits", so that a test knows that it has struck.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* The system's own calls, so that reading the trigger and noting a hit never come back here. */
static ssize_t raw_write(int fd, const void *bytes, size_t count) { return syscall(SYS_write, fd, bytes, count); }

static int is_meant(const char *path, const char *wanted) {
  size_t length = strlen(wanted);
  if (length > 0 && wanted[length - 1] == '$') return strlen(path) == length - 1 && strncmp(path, wanted, length - 1) == 0;
  return strncmp(path, wanted, length) == 0;
}

static int fault_of(int fd, const char *kind) {
  const char *trigger = getenv("CAIRN_FAULT_TRIGGER");
  if (trigger == NULL || access(trigger, F_OK) != 0) return 0;
  int saved = errno;
  int found = 0;
  char text[1024], wanted[16], code[16], prefix[900], link[64], path[4096];
  int file = open(trigger, O_RDONLY | O_CLOEXEC);
  ssize_t size = file < 0 ? -1 : read(file, text, sizeof text - 1);
  if (file >= 0) close(file);
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (size > 0 && length > 0) {
    text[size] = 0;
    path[length] = 0;
    int fields = sscanf(text, "%15s %15s %899s", wanted, code, prefix);
    if (fields == 3 && strcmp(wanted, kind) == 0 && is_meant(path, prefix)) {
      found = strcmp(code, "ENOSPC") == 0 ? ENOSPC : EIO;
      char hits[1100], line[4200];
      snprintf(hits, sizeof hits, "%s.hits", trigger);
      int log = open(hits, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
      int bytes = snprintf(line, sizeof line, "%s %s\n", kind, path);
      if (log >= 0) {
        raw_write(log, line, (size_t)bytes);
        close(log);
      }
    }
  }
  errno = saved;
  return found;
}

#define PASS(type, name, signature, arguments, kind)                  \
  type name signature {                                               \
    static type(*next) signature;                                     \
    if (next == NULL) next = (type(*) signature)dlsym(RTLD_NEXT, #name); \
    int fault = fault_of(fd, kind);                                   \
    if (fault != 0) {                                                 \
      errno = fault;                                                  \
      return -1;                                                      \
    }                                                                 \
    return next arguments;                                            \
  }

PASS(ssize_t, write, (int fd, const void *bytes, size_t count), (fd, bytes, count), "write")
PASS(ssize_t, pwrite, (int fd, const void *bytes, size_t count, off_t at), (fd, bytes, count, at), "write")
PASS(ssize_t, pwrite64, (int fd, const void *bytes, size_t count, off64_t at), (fd, bytes, count, at), "write")
PASS(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), "write")
PASS(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at), "write")
PASS(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at), "write")
PASS(int, fsync, (int fd), (fd), "sync")
PASS(int, fdatasync, (int fd), (fd), "sync")
