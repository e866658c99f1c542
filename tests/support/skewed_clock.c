/* Shifts the wall clock of a process by CLOCK_SKEW_SECS seconds, or by what the file
   CLOCK_SKEW_FILE says, looked at once a second; what measures spans stays as it is. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long skew(void) {
    static volatile long looked_at, secs;
    const char *file = getenv("CLOCK_SKEW_FILE"), *text = getenv("CLOCK_SKEW_SECS");
    if (!file) return text ? atol(text) : 0;
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    if (now.tv_sec != looked_at) {
        looked_at = now.tv_sec;
        char word[16] = {0};
        int open_file = open(file, O_RDONLY | O_CLOEXEC);
        if (open_file >= 0) {
            if (read(open_file, word, sizeof word - 1) > 0) secs = atol(word);
            close(open_file);
        }
    }
    return secs;
}

int clock_gettime(clockid_t id, struct timespec *at) {
    long failed = syscall(SYS_clock_gettime, id, at);
    if (!failed && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) at->tv_sec += skew();
    return (int)failed;
}

int gettimeofday(struct timeval *at, void *zone) {
    (void)zone;
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
