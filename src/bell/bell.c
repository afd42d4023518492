/* SPDX-License-Identifier: MIT */
/*
 * The bell: one word that says whether somebody waits, and how to wake them.
 *
 * Bit 0: a waiter sleeps, or is about to, on the word itself (futex).  Bit 1: a
 * waiter has armed a descriptor.  The rest counts announcements, so that what is
 * taken back is what was announced and not a later one.
 *
 * A waiter announces itself, then looks whether there is news; a ringer writes
 * the news, then looks at the bell.  One of the two sees the other:
 *
 *    here                  there                   if it were weaker
 *    --------------------  ----------------------  ----------------------------
 *    N1 announce       sc  N2 look at the bell sc  sleeps over the news; or
 *                                                  looks too early
 *    N3 clear and wake     N4 sleep if unchanged   sleeps over the waking
 *       (the kernel, one step)   (the kernel)
 *    N5 write, then clear sc  N1                   a later arming is cleared
 *
 * Whoever clears a bit has woken before (N5) or wakes in the same step (N3,
 * FUTEX_WAKE_OP): a ringer that dies in between leaves the bit for the next.
 * The news themselves are the caller's: written before N2, and read by ready()
 * after N1.
 */
#include <evc/bell.h>

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "atomic.h"

#define ASLEEP       1u
#define ARMED        2u
#define ANNOUNCEMENT 4u

#define TRIES      64u    /* to change a word that others change */
#define SPIN_MAX   50000u /* ns */
#define SPIN_MIN   1000u
#define SPIN_TRIAL 16u /* who has given up spinning tries again so often */

#define NS 1000000000

_Static_assert(sizeof(struct evc_bell) == sizeof(evc_a32), "one shared word");

static evc_a32 *word_of(struct evc_bell *bell)
{
    return (evc_a32 *)(void *)&bell->word;
}

/* ---- the kernel's part -------------------------------------------------- */

/* N4, pairs with N3: unless the word has changed, until it is woken. */
static int futex_sleep(evc_a32 *word, uint32_t expected, int64_t deadline)
{
    struct timespec until = {.tv_sec = deadline / NS, .tv_nsec = deadline % NS};
    int saved = errno, r = 0;

    if (syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected,
                deadline >= 0 ? &until : NULL, NULL,
                FUTEX_BITSET_MATCH_ANY) < 0)
        r = -errno;
    errno = saved;
    return r == -EAGAIN ? 0 : r;
}

/* N3, pairs with N4. */
static void futex_clear_and_wake(evc_a32 *word)
{
    int saved = errno;

    syscall(SYS_futex, word, FUTEX_WAKE_OP, INT_MAX, 0L, word,
            FUTEX_OP(FUTEX_OP_ANDN, ASLEEP, FUTEX_OP_CMP_EQ, 0));
    errno = saved;
}

static int eventfd_fill(int fd)
{
    static const uint64_t one = 1;
    int saved = errno, r = 0;
    ssize_t n;

    do { /* a full counter is as readable as can be */
        n = write(fd, &one, sizeof(one));
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN)
        r = -errno;
    errno = saved;
    return r;
}

static int eventfd_empty(int fd)
{
    int saved = errno, r = 0;
    uint64_t count;
    ssize_t n;

    do {
        n = read(fd, &count, sizeof(count));
    } while (n < 0 && errno == EINTR);
    if (n < 0 && errno != EAGAIN)
        r = -errno;
    errno = saved;
    return r;
}

static int64_t now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS + t.tv_nsec;
}

/* ---- ringing ------------------------------------------------------------ */

/* Somebody waits: `seen` says how. */
static int wake(evc_a32 *word, uint32_t seen, int fd)
{
    int r = 1;

    if (seen & ARMED) {
        int written = eventfd_fill(fd);

        if (written == 0) /* N5, pairs with N1 */
            (void)evc_a32_cas_sc(word, &seen, seen & ~ARMED);
        else
            r = written;
    }
    if (seen & ASLEEP)
        futex_clear_and_wake(word);
    return r;
}

int evc_bell_ring(struct evc_bell *bell, int fd)
{
    evc_a32 *word = word_of(bell);
    uint32_t seen = evc_a32_add_sc(word, 0); /* N2, pairs with N1 */

    return seen & (ASLEEP | ARMED) ? wake(word, seen, fd) : 0;
}

int evc_bell_ring_rmw(struct evc_bell *bell, int fd)
{
    evc_a32 *word = word_of(bell);
    uint32_t seen = evc_a32_load_sc(word); /* N2, pairs with N1 */

    return seen & (ASLEEP | ARMED) ? wake(word, seen, fd) : 0;
}

/* ---- announcing --------------------------------------------------------- */

struct announcement {
    uint32_t before, after; /* the word */
};

/* N1, pairs with N2. Who keeps changing the word wakes nobody but us. */
static void announce(evc_a32 *word, uint32_t how, struct announcement *a)
{
    a->before = evc_a32_load_rlx(word);
    for (unsigned i = 0; i < TRIES; i++) {
        a->after = (a->before + ANNOUNCEMENT) | how;
        if (evc_a32_cas_sc(word, &a->before, a->after))
            return;
    }
    a->before = evc_a32_set_sc(word, how);
    a->after = a->before | how;
}

/* Unless somebody else relies on it, or has answered it. */
static void retract(evc_a32 *word, struct announcement *a, uint32_t how)
{
    if (!(a->before & how))
        (void)evc_a32_cas_sc(word, &a->after, a->after & ~how);
}

/* ---- spinning ----------------------------------------------------------- */

/*
 * The machine's processors, not those this thread may use: one that is pinned
 * waits for another that is pinned elsewhere.
 */
static bool has_company(void)
{
    static evc_a32 known; /* 1, or 2: more; 0: not asked yet */
    uint32_t count = evc_a32_load_rlx(&known);

    if (count == 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);

        count = online == 1 ? 1 : 2; /* nobody knows: more */
        evc_a32_store_rlx(&known, count);
    }
    return count > 1;
}

static void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* For how long this time, in ns? */
static uint32_t window_of(struct evc_bell_spin *spin)
{
    if (spin == NULL || !has_company())
        return 0;
    if (spin->window < SPIN_MIN)
        return spin->waits++ % SPIN_TRIAL == 0 ? SPIN_MAX / 2 : 0;
    return spin->window < SPIN_MAX ? spin->window : SPIN_MAX;
}

static bool spin_until(struct evc_bell_spin *spin, bool (*ready)(void *data),
                       void *data)
{
    uint32_t window = window_of(spin);
    int64_t end;

    if (window == 0)
        return false;
    for (end = now() + window; now() < end;) {
        for (unsigned i = 0; i < 16; i++) {
            if (ready(data)) {
                spin->window = SPIN_MAX;
                return true;
            }
            relax();
        }
    }
    spin->window /= 2;
    return false;
}

/* ---- waiting ------------------------------------------------------------ */

/* 0: look again; -ETIMEDOUT, -EINTR: enough, unless there is news. */
static int sleep_once(evc_a32 *word, bool (*ready)(void *data), void *data,
                      int64_t deadline)
{
    struct announcement a;
    int r = 0;

    announce(word, ASLEEP, &a);
    if (!ready(data))
        r = futex_sleep(word, a.after, deadline);
    retract(word, &a, ASLEEP);
    return r;
}

int evc_bell_wait(struct evc_bell *bell, struct evc_bell_spin *spin,
                  bool (*ready)(void *data), void *data, int64_t timeout)
{
    int64_t deadline = timeout < 0 ? -1 : 0;
    int r = 0;

    if (ready(data))
        return 0;
    if (timeout == 0)
        return -ETIMEDOUT;
    if (timeout > 0 && __builtin_add_overflow(now(), timeout, &deadline))
        deadline = -1;
    if (spin_until(spin, ready, data))
        return 0;
    while (r == 0) {
        r = sleep_once(word_of(bell), ready, data, deadline);
        if (ready(data))
            return 0;
        /* A word that keeps changing never lets us sleep, until then. */
        if (r == 0 && deadline >= 0 && now() >= deadline)
            r = -ETIMEDOUT;
    }
    return r;
}

/* ---- descriptors -------------------------------------------------------- */

int evc_bell_fd(void)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    return fd >= 0 ? fd : -errno;
}

int evc_bell_arm(struct evc_bell *bell, int fd, bool (*ready)(void *data),
                 void *data)
{
    struct announcement a;
    int r = eventfd_empty(fd);

    if (r < 0)
        return r;
    announce(word_of(bell), ARMED, &a);
    if (!ready(data))
        return 0;
    retract(word_of(bell), &a, ARMED);
    r = eventfd_fill(fd);
    return r < 0 ? r : 1;
}

void evc_bell_disarm(struct evc_bell *bell, int fd)
{
    (void)evc_a32_clear_sc(word_of(bell), ARMED);
    (void)eventfd_empty(fd);
}
