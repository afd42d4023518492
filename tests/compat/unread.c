/* SPDX-License-Identifier: MIT */
/*
 * A process ends while an event waits in its handle: is its port free again?
 * The lowest free number is what a new port gets.
 */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenevtchn.h>

#define DOMAIN 0
#define TRIES  500 /* of 10 ms */

static int bind_new(xenevtchn_handle **handle)
{
    *handle = xenevtchn_open(NULL, 0);
    return *handle ? xenevtchn_bind_unbound_port(*handle, DOMAIN) : -1;
}

/* Offer a port, wait until its event is there, and go. */
static void be_receiver(int told)
{
    xenevtchn_handle *receiver;
    int port = bind_new(&receiver);
    struct pollfd ready = {.events = POLLIN};

    if (port < 0 || write(told, &port, sizeof(port)) != sizeof(port))
        _exit(1);
    ready.fd = xenevtchn_fd(receiver);
    _exit(poll(&ready, 1, TRIES * 10) == 1 ? 0 : 1);
}

/* Return: the port that a receiver had. */
static int lose_receiver(void)
{
    xenevtchn_handle *sender;
    int told[2], port, from, status;

    if (pipe(told) < 0)
        return -1;
    if (fork() == 0)
        be_receiver(told[1]);
    if (read(told[0], &port, sizeof(port)) != sizeof(port))
        return -1;
    sender = xenevtchn_open(NULL, 0);
    if (!sender)
        return -1;
    from = xenevtchn_bind_interdomain(sender, DOMAIN, (uint32_t)port);
    if (from < 0 || xenevtchn_notify(sender, (uint32_t)from) < 0 ||
        wait(&status) < 0 || status != 0)
        return -1;
    return port;
}

int main(void)
{
    int port = lose_receiver(), again = 0;
    xenevtchn_handle *handle;

    if (port < 0) {
        perror("unread");
        return 1;
    }
    for (int i = 0; i < TRIES && again != port; i++) {
        again = bind_new(&handle);
        if (again < 0)
            return 1;
        xenevtchn_close(handle);
        usleep(10000);
    }
    return again == port ? 0 : 1;
}
