/* SPDX-License-Identifier: MIT */
/*
 * The grant table: frames that a guest lets others use, by reference.
 *
 *  label  here                        there (the guest)         if weaker
 *  T1     cas who: mark as in use     cas who: take it back,    both succeed: a
 *                                     if not in use             page is used
 *                                                               that is no
 *                                                               longer granted
 *  T2     load frame, after T1        store frame, then who     another frame is
 *                                                               mapped
 *  T3     clear who's marks           load who: not in use      written after
 *                                                               the guest has
 *                                                               it back
 *
 * `who` has the flags and the domain in one word, so that one compare-and-swap
 * is about both.  Our own counts say when the last user has gone.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

#define TRIES 16 /* against a guest that keeps rewriting an entry */

int evc_grants_init(struct evc_grants *grants,
                    const struct evc_backend_config *config)
{
    *grants = (struct evc_grants){
        .ops = config->ops,
        .guest = config->guest,
        .self = evc_domain_id(config->domain),
        .guest_32bit = config->guest_32bit,
    };
    pthread_mutex_init(&grants->lock, NULL);
    return evc_grants_grow(grants, 1);
}

void evc_grants_finish(struct evc_grants *grants)
{
    for (uint32_t i = 0; i < grants->nr_frames; i++)
        free(grants->uses[i]);
    if (grants->ops != NULL)
        pthread_mutex_destroy(&grants->lock);
}

static int grow_by_one(struct evc_grants *grants)
{
    uint32_t n = grants->nr_frames;
    struct evc_grant_use *uses = calloc(EVC_GRANTS_PER_PAGE, sizeof(*uses));
    uint64_t frame;

    if (uses == NULL)
        return -ENOMEM;
    if (grants->ops->alloc(grants->guest, &frame) < 0) {
        free(uses);
        return -ENOMEM;
    }
    grants->uses[n] = uses;
    grants->frame[n] = frame;
    grants->entries[n] = grants->ops->frame(grants->guest, frame);
    grants->nr_frames++;
    return 0;
}

int evc_grants_grow(struct evc_grants *grants, uint32_t nr_frames)
{
    int r = 0;

    if (nr_frames > EVC_GRANT_FRAMES)
        return -EINVAL;
    pthread_mutex_lock(&grants->lock);
    while (r == 0 && grants->nr_frames < nr_frames)
        r = grow_by_one(grants);
    pthread_mutex_unlock(&grants->lock);
    return r;
}

/* Entry and use of a reference; under the lock. */
static struct evc_grant_entry *entry_of(struct evc_grants *grants, uint32_t ref,
                                        struct evc_grant_use **use)
{
    uint32_t page = ref / EVC_GRANTS_PER_PAGE;
    uint32_t at = ref % EVC_GRANTS_PER_PAGE;

    if (page >= grants->nr_frames)
        return NULL;
    *use = &grants->uses[page][at];
    return &grants->entries[page][at];
}

void evc_grants_offer(struct evc_grants *grants, uint32_t ref, uint16_t domain,
                      uint64_t frame)
{
    struct evc_grant_use *use;
    struct evc_grant_entry *entry = entry_of(grants, ref, &use);

    evc_a32_store_rlx(&entry->frame, (uint32_t)frame);
    evc_a32_store_rel(&entry->who,
                      EVC_GTF_PERMIT_ACCESS | (uint32_t)domain
                                                  << EVC_GTF_DOMAIN_SHIFT);
}

static int may_map(uint32_t who, uint16_t domain, bool write)
{
    if ((who & EVC_GTF_TYPE) != EVC_GTF_PERMIT_ACCESS)
        return -EINVAL;
    if (who >> EVC_GTF_DOMAIN_SHIFT != domain)
        return -EACCES;
    return write && (who & EVC_GTF_READONLY) ? -EACCES : 0;
}

/* Set the marks, if it is granted; T1. */
static int mark(struct evc_grant_entry *entry, uint16_t domain, bool write)
{
    uint32_t marks = EVC_GTF_READING | (write ? EVC_GTF_WRITING : 0);
    uint32_t who = evc_a32_load_rlx(&entry->who);

    for (int i = 0; i < TRIES; i++) {
        int r = may_map(who, domain, write);

        if (r < 0)
            return r;
        if (evc_a32_cas_sc(&entry->who, &who, who | marks))
            return 0;
    }
    return -EBUSY;
}

/* Take back the marks that no user needs any more. */
static void unmark(struct evc_grant_entry *entry,
                   const struct evc_grant_use *use)
{
    uint32_t marks = 0;

    if (use->writers == 0)
        marks |= EVC_GTF_WRITING;
    if (use->writers == 0 && use->readers == 0)
        marks |= EVC_GTF_READING;
    (void)evc_a32_clear_sc(&entry->who, marks); /* T3 */
}

static int map(struct evc_grants *grants, uint32_t ref, uint16_t domain,
               bool write, uint64_t *frame)
{
    struct evc_grant_use *use;
    struct evc_grant_entry *entry = entry_of(grants, ref, &use);
    uint64_t granted;
    int r;

    if (entry == NULL)
        return -EINVAL;
    if (use->readers == UINT16_MAX || use->writers == UINT16_MAX)
        return -EBUSY;
    r = mark(entry, domain, write);
    if (r < 0)
        return r;
    granted = evc_a32_load_acq(&entry->frame); /* T2 */
    if (grants->ops->frame(grants->guest, granted) == NULL) {
        unmark(entry, use);
        return -EFAULT;
    }
    *(write ? &use->writers : &use->readers) += 1;
    *frame = granted;
    return 0;
}

int evc_grant_map_frame(struct evc_grants *grants, uint32_t ref,
                        uint16_t domain, bool write, uint64_t *frame)
{
    int r;

    pthread_mutex_lock(&grants->lock);
    r = map(grants, ref, domain, write, frame);
    pthread_mutex_unlock(&grants->lock);
    return r;
}

int evc_grant_map(struct evc_grants *grants, uint32_t ref, uint16_t domain,
                  bool write, void **page)
{
    uint64_t frame;
    int r = evc_grant_map_frame(grants, ref, domain, write, &frame);

    if (r == 0)
        *page = grants->ops->frame(grants->guest, frame);
    return r;
}

void evc_grant_unmap(struct evc_grants *grants, uint32_t ref, bool write)
{
    struct evc_grant_use *use;
    struct evc_grant_entry *entry;

    pthread_mutex_lock(&grants->lock);
    entry = entry_of(grants, ref, &use);
    if (entry != NULL) { /* it was when it was mapped */
        *(write ? &use->writers : &use->readers) -= 1;
        unmark(entry, use);
    }
    pthread_mutex_unlock(&grants->lock);
}
