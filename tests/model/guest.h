/* SPDX-License-Identifier: MIT */
/*
 * The guest of the models: the least that the contract (section 8) asks of one,
 * and the world that host and guest share.  The labels G are those of the
 * tables in src/delivery and src/guest, and the orders are no stronger than
 * there; include this after the .c files of the engine.
 */
#ifndef EVC_TESTS_MODEL_GUEST_H
#define EVC_TESTS_MODEL_GUEST_H

#define MODEL_PORTS 64u /* one bucket */
#define MODEL_VCPUS 2u

/* vcpu_info, 64 bits of each map, some event words, control blocks. */
struct shared {
    _Alignas(64) uint8_t info[MODEL_VCPUS][64];
    _Alignas(8) uint8_t pending[8], mask[8];
    _Alignas(64) evc_a32 words[MODEL_PORTS];
    _Alignas(64) evc_a32 control[MODEL_VCPUS][18];
};

struct model_world {
    struct shared shared;
    struct evc_table table;
    _Alignas(struct evc_directory) uint8_t
        directory[sizeof(struct evc_directory) + sizeof(struct evc_bucket *)];
    struct evc_bucket bucket;
    evc_info_ptr info[MODEL_VCPUS];
    struct evc_delivery to;
    /* The guest's own: */
    uint32_t head[MODEL_VCPUS][16];
    uint32_t ready[MODEL_VCPUS];
};

static const struct evc_shape model_shape = {
    .wide = true,
    .has_mask = true,
    .sel_offset = 8,
    .pending = offsetof(struct shared, pending),
    .mask = offsetof(struct shared, mask),
    .ports = MODEL_PORTS,
    .slots = MODEL_VCPUS,
    .info_size = 64,
};

typedef void model_handler(struct model_world *w, uint32_t port);

/* Everything zero, every port notifying vCPU 0, two-level. */
static void model_world_init(struct model_world *w)
{
    struct evc_fifo *fifo = atomic_load(&w->to.fifo);
    struct evc_directory *directory;

    memset(w, 0, sizeof(*w));
    directory = (struct evc_directory *)(void *)w->directory;
    directory->room = 1;
    directory->bucket[0] = &w->bucket;
    atomic_store(&w->table.directory, directory);
    evc_a32_store_rlx(&w->table.valid, MODEL_PORTS);
    for (unsigned p = 0; p < MODEL_PORTS; p++) {
        evc_a32_store_rlx(&w->bucket.delivery[p],
                          evc_delivery_word(0, EVC_DEFAULT_PRIORITY));
        evc_a32_store_rlx(&w->bucket.last[p], EVC_DELIVERY_NONE);
    }
    for (unsigned v = 0; v < MODEL_VCPUS; v++)
        atomic_store(&w->info[v], w->shared.info[v]);
    w->to.table = &w->table;
    w->to.info = w->info;
    w->to.shared_info = (uint8_t *)&w->shared;
    atomic_store(&w->to.shape, &model_shape);
    evc_delivery_change(&w->to, fifo, MODEL_VCPUS);
}

/* ---- two-level ---------------------------------------------------------- */

static inline _Atomic uint64_t *word64(uint8_t *at)
{
    return (_Atomic uint64_t *)(void *)at;
}

static inline bool guest_acknowledge(struct model_world *w, unsigned vcpu)
{
    _Atomic uint8_t *upcall = (_Atomic uint8_t *)w->shared.info[vcpu];

    if (atomic_load_explicit(upcall, memory_order_relaxed) == 0)
        return false;
    atomic_store_explicit(upcall, 0, memory_order_relaxed); /* G1 */
    return true;
}

static inline uint64_t guest_take64(uint8_t *at, uint64_t bits)
{
    return atomic_fetch_and_explicit(word64(at), ~bits, memory_order_acq_rel) &
           bits;
}

static inline void guest_twolevel(struct model_world *w, unsigned vcpu,
                                  model_handler *handle)
{
    while (guest_acknowledge(w, vcpu)) {
        uint64_t bits;

        /* G2; releases G1, also where there is nothing */
        if (atomic_exchange_explicit(word64(w->shared.info[vcpu] + 8), 0,
                                     memory_order_acq_rel) == 0)
            continue;
        bits =
            atomic_load_explicit(word64(w->shared.pending),
                                 memory_order_relaxed) &
            ~atomic_load_explicit(word64(w->shared.mask), memory_order_relaxed);
        for (; bits != 0; bits &= bits - 1) {
            uint64_t bit = bits & -bits;

            /* G3, before its handler runs */
            if (guest_take64(w->shared.pending, bit))
                handle(w, (uint32_t)__builtin_ctzll(bit));
        }
    }
}

/* ---- FIFO --------------------------------------------------------------- */

#ifdef LINKED /* of fifo.c */

static inline _Atomic uint32_t *word32(evc_a32 *at)
{
    return &at->raw_;
}

/* What the word was. */
static inline uint32_t guest_take32(evc_a32 *at, uint32_t bits)
{
    return atomic_fetch_and_explicit(word32(at), ~bits, memory_order_acq_rel);
}

static inline void guest_take(struct model_world *w, unsigned vcpu, unsigned q,
                              model_handler *handle)
{
    uint32_t *ready = &w->ready[vcpu];
    uint32_t port = w->head[vcpu][q], old;

    if (port == 0) /* Relaxed: G2 has made it visible. */
        port = atomic_load_explicit(word32(&w->shared.control[vcpu][HEAD + q]),
                                    memory_order_relaxed);
    assert(port < MODEL_PORTS);
    if (port == 0) {
        *ready &= ~(1u << q);
        return;
    }
    old = guest_take32(&w->shared.words[port], LINKED | LINK_MASK); /* G4 */
    w->head[vcpu][q] = old & LINK_MASK;
    if (w->head[vcpu][q] == 0)
        *ready &= ~(1u << q);
    old = atomic_load_explicit(word32(&w->shared.words[port]),
                               memory_order_relaxed);
    if (!(old & PENDING) || (old & MASKED))
        return;
    if (guest_take32(&w->shared.words[port], PENDING) & PENDING) /* G5 */
        handle(w, port);
}

static inline void guest_fifo(struct model_world *w, unsigned vcpu,
                              model_handler *handle)
{
    uint32_t *ready = &w->ready[vcpu];

    while (guest_acknowledge(w, vcpu)) {
        for (unsigned n = 0;; n++) {
            assert(n < 100); /* no cycle */
            /* G2; releases G1, also where there is nothing */
            *ready |= atomic_exchange_explicit(
                word32(&w->shared.control[vcpu][READY]), 0,
                memory_order_acq_rel);
            if (*ready == 0)
                break;
            guest_take(w, vcpu, (unsigned)__builtin_ctz(*ready), handle);
        }
    }
}

/* A FIFO world: the page of words is there, both vCPUs have a block. */
static inline void model_fifo_init(struct model_world *w)
{
    struct evc_fifo *old = w->to.fifo;

    model_world_init(w);
    evc_fifo_destroy(old, MODEL_VCPUS);
    w->to.fifo = evc_fifo_create(MODEL_VCPUS);
    assert(w->to.fifo != NULL);
    evc_fifo_add_page(w->to.fifo, w->shared.words, 0);
    for (unsigned v = 0; v < MODEL_VCPUS; v++) {
        int r = evc_fifo_add_block(w->to.fifo, v, w->shared.control[v], 0, 0);

        assert(r == 0);
    }
    evc_delivery_choose(&w->to, MODEL_VCPUS);
}

#endif /* LINKED */

/* A kick wakes the vCPU once more, after all of this. */
static inline bool model_kicked(unsigned post)
{
    return post & EVC_POST_KICK;
}

#endif /* EVC_TESTS_MODEL_GUEST_H */
