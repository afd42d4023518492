/* SPDX-License-Identifier: MIT */
/**
 * @file bell.h
 *
 * Sleeping and waking: who waits spins a little, then sleeps; who has news rings.
 *
 *     ringer: write the news; evc_bell_ring()
 *     waiter: evc_bell_wait(): until ready() says that there is news
 *
 * A bell is one word of memory, between threads or, in shared memory, between
 * processes.  It carries no news itself: that is in words of the caller's, which
 * `ready` looks at.  Ringing costs one locked instruction and no system call
 * while nobody sleeps; one system call wakes a sleeper, however many ring after.
 * A waiter may sleep in evc_bell_wait() or have a descriptor made readable, for
 * poll(2) and its like; any number may wait and ring at a time.
 *
 * Death    A ringer may die at any instruction: whoever rings next wakes the
 *          sleeper.  If nobody else would, who learns of the death rings.  A
 *          waiter that dies costs the next ringer one system call.
 * Trust    Nothing that another writes into the word harms more than waiting
 *          and ringing on this bell: news may be slept over or looked for in
 *          vain, as if that other had not rung or had rung all the time.
 * Errors   Zero or more is success, a negative errno value is failure.
 * Threads  All functions, from any thread; evc_bell_ring() and
 *          evc_bell_ring_rmw() from a signal handler too.
 * Linkage  libevc.  Linux only: it is futex(2) that sleeps.
 */
#ifndef EVC_BELL_H
#define EVC_BELL_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/** struct evc_bell - zeroed memory is one that nobody waits at */
struct evc_bell {
    uint32_t word;
};

/**
 * struct evc_bell_spin - how long it was worth spinning, a waiter's own
 *
 * Zeroed memory is one that has not waited yet.  It learns: waits that end while
 * spinning lengthen the next spin, to 50 us; waits that end in sleep halve it,
 * to none, with a short one tried every sixteenth time.
 */
struct evc_bell_spin {
    uint32_t window; /* ns */
    uint32_t waits;
};

/**
 * evc_bell_ring() - there is news
 * @bell: whose waiters are to look
 * @fd:   the descriptor that they arm, in this process; or -1
 *
 * Call it after the news was written, with whatever order.  If it wakes nobody
 * it is one read-modify-write.
 *
 * Return: 1: made a system call to wake somebody; 0: nobody waits; -EBADF (the
 *         waiter wants a descriptor to be written, and there is none).
 * Order: what was written before is visible to the waiter's next `ready`.
 */
int evc_bell_ring(struct evc_bell *bell, int fd);

/**
 * evc_bell_ring_rmw() - evc_bell_ring(), for who has written the news by a
 * sequentially consistent read-modify-write
 *
 * And `ready` reads that word in a sequentially consistent way.  Then a plain
 * look at the bell will do, and ringers share its cache line.
 */
int evc_bell_ring_rmw(struct evc_bell *bell, int fd);

/**
 * evc_bell_wait() - until there is news
 * @bell:    where it is rung
 * @spin:    what this waiter has learnt; or NULL: do not spin
 * @ready:   is there news?  Called any number of times; must not block
 * @data:    handed to @ready
 * @timeout: ns from now; negative: none; 0: look only
 *
 * Return: 0: @ready said so; -ETIMEDOUT; -EINTR (a signal was handled).
 * Order: @ready sees what was written before the ring.
 */
int evc_bell_wait(struct evc_bell *bell, struct evc_bell_spin *spin,
                  bool (*ready)(void *data), void *data, int64_t timeout);

/**
 * evc_bell_fd() - a descriptor to arm: a non-blocking, close-on-exec eventfd
 *
 * The caller's to close.  A ringer in another process gets a copy of it
 * (SCM_RIGHTS, fork).
 *
 * Return: the descriptor; -EMFILE, -ENFILE, -ENOMEM.
 */
int evc_bell_fd(void);

/**
 * evc_bell_arm() - have @fd readable when there is news, and not before
 * @bell:  where it is rung
 * @fd:    of evc_bell_fd(), for which ringers have a copy; one per bell
 * @ready: is there news?
 * @data:  handed to @ready
 *
 * For who is about to poll(2).  It empties the descriptor; if there is news
 * already it fills it again.  A ringer that is slow may still write it for
 * news that was taken long ago: then it is readable once in vain.
 *
 * Return: 1: there is news, and @fd is readable; 0: it will be; -errno of
 *         read(2) or write(2).
 */
int evc_bell_arm(struct evc_bell *bell, int fd, bool (*ready)(void *data),
                 void *data);

/**
 * evc_bell_disarm() - ringers need not write @fd any more
 *
 * For who is awake and going to look without being told.  Leaves @fd empty.
 */
void evc_bell_disarm(struct evc_bell *bell, int fd);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif

#endif /* EVC_BELL_H */
