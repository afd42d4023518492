/* SPDX-License-Identifier: MIT */
/*
 * What a confined process cannot do, tried; and what it still must.  The filter
 * stays, so each is tried in a child.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <runner.h>

static void *nothing(void *data)
{
    return data;
}

static int is_refused(long result)
{
    return result == -1 && errno == EPERM;
}

static void try_what_is_refused(void)
{
    char *const argv[] = {NULL};
    char c = 'x';

    assert(is_refused(open("/dev/null", O_RDONLY)));
    assert(is_refused(openat(AT_FDCWD, "/dev/null", O_RDONLY)));
    assert(is_refused(execve("/bin/true", argv, argv)));
    assert(is_refused(fork()));
    assert(is_refused(socket(AF_UNIX, SOCK_STREAM, 0)));
    assert(is_refused(kill(getppid(), 0)));
    assert(is_refused(unlink("/nonexistent")));
    assert(is_refused(ioctl(STDIN_FILENO, TIOCSTI, &c)));
}

static void try_what_is_needed(void)
{
    pthread_t thread;
    void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert(at != MAP_FAILED && munmap(at, 4096) == 0);
    assert(pthread_create(&thread, NULL, nothing, NULL) == 0);
    assert(pthread_join(thread, NULL) == 0);
    assert(write(STDOUT_FILENO, "confined\n", 9) == 9);
}

int main(void)
{
    struct evc_pv_error error = {0};
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (evc_run_confine(&error) < 0) {
            printf("%s\n", error.text);
            _exit(77); /* a container may forbid even this */
        }
        try_what_is_refused();
        try_what_is_needed();
        _exit(0);
    }
    assert(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    return WEXITSTATUS(status);
}
