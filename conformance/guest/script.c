/* SPDX-License-Identifier: MIT */
/* The scenario language: parse a line, do it, write its trace. See FORMAT.md. */
#include "guest.h"

#define MAX_TOKENS 200
#define MAX_VARS   64

static struct { const char *name; uint64_t value; } vars[MAX_VARS];
static unsigned nvars;

/* The statement being executed. */
static char *tok[MAX_TOKENS];
static unsigned ntok;
static unsigned actor_dom, actor_vcpu;
static bool failed;                       /* a complaint was printed */

static void complain(const char *what, const char *arg)
{
    if ( !failed )
        emit("! %s %s\n", what, arg);
    failed = true;
}

/* ---- values ---- */

static void set_var(const char *name, uint64_t value)
{
    unsigned i;

    for ( i = 0; i < nvars && !streq(vars[i].name, name); i++ )
        ;
    if ( i == MAX_VARS )
    {
        complain("too many variables:", name);
        return;
    }
    if ( i == nvars )
        vars[nvars++].name = name;
    vars[i].value = value;
}

static uint64_t number(const char **ps)
{
    const char *s = *ps;
    unsigned base = 10, digit;
    uint64_t v = 0;

    if ( s[0] == '0' && s[1] == 'x' )
        base = 16, s += 2;
    for ( ;; s++ )
    {
        digit = *s >= '0' && *s <= '9' ? *s - '0' : *s >= 'a' && *s <= 'f' ? *s - 'a' + 10 : 99;
        if ( digit >= base )
            break;
        v = v * base + digit;
    }
    *ps = s;
    return v;
}

/* NUMBER | -NUMBER | self | dK | $var | $var+N | $var-N */
static uint64_t value(const char *s)
{
    const char *all = s;
    uint64_t v = 0;

    if ( streq(s, "self") )
        return DOMID_SELF;
    if ( *s == 'd' && s[1] >= '0' && s[1] <= '9' )
    {
        s++;
        v = number(&s);
    }
    else if ( *s == '-' )
    {
        s++;
        v = -number(&s);
    }
    else if ( *s == '$' )
    {
        size_t n = 0;
        unsigned i;

        for ( s++; s[n] && s[n] != '+' && s[n] != '-'; n++ )
            ;
        for ( i = 0; i < nvars; i++ )
            if ( strlen(vars[i].name) == n && memcmp(vars[i].name, s, n) == 0 )
                break;
        if ( i == nvars )
        {
            complain("no such variable:", all);
            return 0;
        }
        v = vars[i].value;
        s += n;
        if ( *s == '+' )
            s++, v += number(&s);
        else if ( *s == '-' )
            s++, v -= number(&s);
    }
    else
        v = number(&s);
    if ( *s )
        complain("bad value:", all);
    return v;
}

/* The text after "key=" among tokens [from, to), or NULL. */
static const char *text_in(const char *key, unsigned from, unsigned to)
{
    size_t n = strlen(key);

    for ( unsigned i = from; i < to; i++ )
        if ( strlen(tok[i]) > n && memcmp(tok[i], key, n) == 0 && tok[i][n] == '=' )
            return tok[i] + n + 1;
    return NULL;
}

static const char *text(const char *key)
{
    return text_in(key, 0, ntok);
}

static uint64_t arg(const char *key, uint64_t otherwise)
{
    const char *s = text(key);
    return s ? value(s) : otherwise;
}

static bool flag(const char *name)
{
    for ( unsigned i = 0; i < ntok; i++ )
        if ( streq(tok[i], name) )
            return true;
    return false;
}

static struct dom *actor(void)
{
    return &doms[actor_dom];
}

static struct dom *dom_arg(void)
{
    unsigned k = arg("dom", DOMID_SELF);

    if ( k == DOMID_SELF )
        k = actor_dom;
    if ( k < MAX_DOMS && doms[k].exists )
        return &doms[k];
    complain("no such domain:", text("dom"));
    return NULL;
}

static void result(long rc)
{
    emit("= ");
    emit_rc(rc);
}

/* ---- event channel operations ---- */

struct field { const char *name; uint8_t off, size; };
#define F(type, name)  { #name, offsetof(struct evtchn_##type, name), \
                         sizeof(((struct evtchn_##type *)0)->name) }
#define SIZE(type)     sizeof(struct evtchn_##type)

static const struct op {
    const char *name;
    uint8_t size;
    struct field in[4], out;
} ops[] = {
    [EVTCHNOP_bind_interdomain] = { "bind_interdomain", SIZE(bind_interdomain),
        { F(bind_interdomain, remote_dom), F(bind_interdomain, remote_port) },
        F(bind_interdomain, local_port) },
    [EVTCHNOP_bind_virq] = { "bind_virq", SIZE(bind_virq),
        { F(bind_virq, virq), F(bind_virq, vcpu) }, F(bind_virq, port) },
    [EVTCHNOP_bind_pirq] = { "bind_pirq", SIZE(bind_pirq),
        { F(bind_pirq, pirq), F(bind_pirq, flags) }, F(bind_pirq, port) },
    [EVTCHNOP_close] = { "close", SIZE(close), { F(close, port) }, {} },
    [EVTCHNOP_send] = { "send", SIZE(send), { F(send, port) }, {} },
    [EVTCHNOP_status] = { "status", SIZE(status), { F(status, dom), F(status, port) }, {} },
    [EVTCHNOP_alloc_unbound] = { "alloc_unbound", SIZE(alloc_unbound),
        { F(alloc_unbound, dom), F(alloc_unbound, remote_dom) }, F(alloc_unbound, port) },
    [EVTCHNOP_bind_ipi] = { "bind_ipi", SIZE(bind_ipi), { F(bind_ipi, vcpu) }, F(bind_ipi, port) },
    [EVTCHNOP_bind_vcpu] = { "bind_vcpu", SIZE(bind_vcpu),
        { F(bind_vcpu, port), F(bind_vcpu, vcpu) }, {} },
    [EVTCHNOP_unmask] = { "unmask", SIZE(unmask), { F(unmask, port) }, {} },
    [EVTCHNOP_reset] = { "reset", SIZE(reset), { F(reset, dom) }, {} },
    [EVTCHNOP_init_control] = { "init_control", SIZE(init_control),
        { F(init_control, control_gfn), F(init_control, offset), F(init_control, vcpu) },
        F(init_control, link_bits) },
    [EVTCHNOP_expand_array] = { "expand_array", SIZE(expand_array),
        { F(expand_array, array_gfn) }, {} },
    [EVTCHNOP_set_priority] = { "set_priority", SIZE(set_priority),
        { F(set_priority, port), F(set_priority, priority) }, {} },
};
#define NR_OPS (sizeof(ops) / sizeof(*ops))
#define POISON 0xa5

static int op_by_name(const char *s)
{
    for ( unsigned i = 0; i < NR_OPS; i++ )
        if ( streq(ops[i].name, s) )
            return i;
    return streq(s, "op") ? (int)NR_OPS : -1;
}

static uint64_t get_field(const struct field *f, const uint8_t *b)
{
    uint64_t v = 0;
    memcpy(&v, b + f->off, f->size);
    return v;
}

/* "gfn=": an absolute number or a special frame. */
static uint64_t gfn_value(const char *s)
{
    if ( streq(s, "pagetable") )
        return va_to_mfn((void *)start_info->pt_base);
    if ( streq(s, "shared_info") )
        return start_info->shared_info / PAGE;
    if ( s[0] == 'd' && s[1] > '0' && s[1] < '0' + MAX_DOMS && s[2] == 0 )
        return doms[s[1] - '0'].mfn[0];
    return value(s);
}

struct prepared { int cmd; unsigned long nr; int page; uint8_t before[64]; };

/* Fill `b` with the operation in tokens [from, to); tok[from] is its name. */
static void op_prepare(struct prepared *p, uint8_t *b, unsigned from, unsigned to)
{
    const char *s;

    p->cmd = op_by_name(tok[from]);
    p->page = -1;
    memset(b, POISON, sizeof(p->before));
    if ( p->cmd < 0 )
        complain("unknown operation:", tok[from]);
    else if ( p->cmd == (int)NR_OPS )
    {
        p->cmd = (s = text_in("cmd", from, to)) ? (int)value(s) : 0;
        for ( char key[] = "w0"; key[1] < '4'; key[1]++ )
            if ( (s = text_in(key, from, to)) )
                ((uint32_t *)b)[key[1] - '0'] = value(s);
    }
    else
        for ( const struct field *f = ops[p->cmd].in; f < ops[p->cmd].in + 4 && f->name; f++ )
        {
            uint64_t v = 0;

            if ( f->size == 8 && (s = text_in("page", from, to)) )
            {
                p->page = value(s);
                if ( p->page < (int)actor()->pages )
                    v = actor()->mfn[p->page];
                else
                    complain("no such page:", s);
            }
            else if ( f->size == 8 && (s = text_in("gfn", from, to)) )
                v = gfn_value(s);
            else if ( (s = text_in(f->name, from, to)) )
                v = value(s);
            memcpy(b + f->off, &v, f->size);
        }
    memcpy(p->before, b, sizeof(p->before));
}

static void emit_status(const struct evtchn_status *s)
{
    static const char *const names[] = { "closed", "unbound", "interdomain", "pirq", "virq", "ipi" };

    if ( s->status < 6 )
        emit(" status=%s", names[s->status]);
    else
        emit(" status=%u", s->status);
    emit(" vcpu=%u", s->vcpu);
    switch ( s->status )
    {
    case EVTCHNSTAT_unbound: emit(" dom=%u", s->u.unbound.dom); break;
    case EVTCHNSTAT_interdomain:
        emit(" dom=%u port=%u", s->u.interdomain.dom, s->u.interdomain.port);
        break;
    case EVTCHNSTAT_pirq: emit(" pirq=%u", s->u.pirq); break;
    case EVTCHNSTAT_virq: emit(" virq=%u", s->u.virq); break;
    }
}

/* Print rc and OUT fields; keep track of what the domain now has. */
static void op_report(const struct prepared *p, const uint8_t *b, long rc)
{
    const struct evtchn_init_control *ic = (const void *)b;
    struct dom *d = actor();
    const struct op *op;
    bool has_result = true;
    unsigned k;

    result(rc);
    if ( p->cmd < 0 || p->cmd >= (int)NR_OPS )
        return;
    op = &ops[p->cmd];
    /* With a read-only argument EFAULT means: done, but the result is lost. */
    if ( rc == -XEN_EFAULT && text("arg") && streq(text("arg"), "readonly") )
        has_result = false;
    else if ( rc )
    {
        if ( memcmp(b, p->before, op->size) )
            emit(" (argument modified)");
        return;
    }
    if ( has_result && op->out.name )
        emit(" %s=%lu", op->out.name, get_field(&op->out, b));
    switch ( p->cmd )
    {
    case EVTCHNOP_status:
        if ( has_result )
            emit_status((const void *)b);
        break;
    case EVTCHNOP_init_control:
        d->fifo = true;
        if ( p->page >= 0 && ic->vcpu < MAX_VCPUS )
        {
            d->ctl_page[ic->vcpu] = p->page;
            d->ctl_off[ic->vcpu] = ic->offset;
        }
        break;
    case EVTCHNOP_expand_array:
        if ( p->page >= 0 && d->slots < 128 )
            d->slot_page[d->slots++] = p->page;
        break;
    case EVTCHNOP_reset:
        k = ((const struct evtchn_reset *)b)->dom;
        if ( k == DOMID_SELF )
            k = actor_dom;
        if ( k < MAX_DOMS )
            doms[k].was_reset = true;
        break;
    }
}

/* A second, read-only mapping of a page, for arguments Xen cannot write back. */
static page_t ro_backing PAGE_ALIGNED PRIVATE, ro_view PAGE_ALIGNED PRIVATE;

static long do_op(struct prepared *p, unsigned from, bool compat)
{
    struct dom *d = actor();
    uint8_t *b = d->mb[actor_vcpu]->buf;
    unsigned long va = BUF_VA(actor_vcpu);
    const char *where = text("arg");

    op_prepare(p, b, from, ntok);
    if ( failed )
        return 0;
    if ( compat )
    {
        struct evtchn_op *old = (void *)(b + 512);

        memset(old, POISON, sizeof(*old));
        old->cmd = p->cmd;
        memcpy(&old->u, b, sizeof(old->u));
        va += 512;
    }
    if ( where && streq(where, "null") )
        va = 0;
    else if ( where && streq(where, "unmapped") )
        va = 0x1000;
    else if ( where && streq(where, "xen") )
        va = HYPERVISOR_VIRT_START + 0x10000000000ul;
    else if ( where && streq(where, "readonly") && actor_dom == 0 )
    {
        map_frame(ro_view, va_to_mfn(ro_backing), DOMID_SELF, false);
        memcpy(ro_backing, b + (compat ? 512 : 0), 128);
        va = P(ro_view);
    }
    else if ( where )
        complain("bad arg:", where);
    if ( failed )
        return 0;

    long rc = compat ? call(d, actor_vcpu, __HYPERVISOR_event_channel_op_compat, va, 0, 0)
                     : call(d, actor_vcpu, __HYPERVISOR_event_channel_op, p->cmd, va, 0);
    if ( compat )
        memcpy(b, &((struct evtchn_op *)(b + 512))->u, sizeof(((struct evtchn_op *)0)->u));
    return rc;
}

static void do_evtchn(unsigned from, bool compat)
{
    struct prepared p;
    long rc = do_op(&p, from, compat);
    uint8_t *b = actor()->mb[actor_vcpu]->buf;

    if ( failed )
        return;
    op_report(&p, b, rc);
    emit("\n");
    for ( unsigned i = from; i + 1 < ntok; i++ )
        if ( streq(tok[i], "->") )
            set_var(tok[i + 1], rc == 0 && p.cmd < (int)NR_OPS && ops[p.cmd].out.name
                                ? get_field(&ops[p.cmd].out, b) : 0);
}

/* "repeat N OP...": stop at the first failure; $i counts from 0. */
static void do_repeat(unsigned from)
{
    uint64_t n = value(tok[from]), done;
    struct prepared p;
    long rc = 0;

    for ( done = 0; done < n && !failed; done++ )
    {
        set_var("i", done);
        rc = do_op(&p, from + 1, false);
        if ( rc )
            break;
        if ( p.cmd == EVTCHNOP_expand_array && p.page >= 0 && actor()->slots < 128 )
            actor()->slot_page[actor()->slots++] = p.page;
    }
    if ( failed )
        return;
    result(rc);
    emit(" after %lu", done);
    if ( rc == 0 && p.cmd < (int)NR_OPS && ops[p.cmd].out.name )
        emit(" %s=%lu", ops[p.cmd].out.name,
             get_field(&ops[p.cmd].out, actor()->mb[actor_vcpu]->buf));
    emit("\n");
}

/* "multicall OP... ; OP... ; ..." */
static void do_multicall(unsigned from)
{
    static struct prepared p[16];
    uint8_t *b = actor()->mb[actor_vcpu]->buf;
    struct multicall_entry *m = (void *)(b + 2048);
    unsigned n = 0;
    long rc;

    while ( from < ntok && n < 16 )
    {
        unsigned to = from;

        while ( to < ntok && !streq(tok[to], ";") )
            to++;
        op_prepare(&p[n], b + n * 64, from, to);
        m[n].op = __HYPERVISOR_event_channel_op;
        m[n].args[0] = p[n].cmd;
        m[n].args[1] = BUF_VA(actor_vcpu) + n * 64;
        n++;
        from = to + 1;
    }
    if ( failed )
        return;
    rc = call(actor(), actor_vcpu, __HYPERVISOR_multicall, BUF_VA(actor_vcpu) + 2048, n, 0);
    result(rc);
    emit("\n");
    for ( unsigned i = 0; i < n; i++ )
    {
        op_report(&p[i], b + i * 64, m[i].result);
        emit("\n");
    }
}

/* ---- what a guest does in its own memory ---- */

/* Set or clear one flag of a port in whichever ABI the domain uses. */
static void port_bit(unsigned fifo_bit, bool mask, bool set)
{
    struct dom *d = actor();
    uint64_t port = arg("port", 0);
    volatile uint32_t *w = event_word(d, port);
    volatile unsigned long *bits = mask ? d->si->evtchn_mask : d->si->evtchn_pending;

    if ( failed )
        return;
    if ( d->fifo ? !w : port >= 4096 )
    {
        emit("= no such event\n");
        return;
    }
    if ( d->fifo && set )
        __atomic_or_fetch(w, 1u << fifo_bit, __ATOMIC_SEQ_CST);
    else if ( d->fifo )
        __atomic_and_fetch(w, ~(1u << fifo_bit), __ATOMIC_SEQ_CST);
    else if ( set )
        __atomic_or_fetch(&bits[port / 64], 1ul << (port % 64), __ATOMIC_SEQ_CST);
    else
        __atomic_and_fetch(&bits[port / 64], ~(1ul << (port % 64)), __ATOMIC_SEQ_CST);
    emit("= 0\n");
}

/* Give up a FIFO event's link: returns the port it pointed at. */
static uint32_t unlink_word(volatile uint32_t *w)
{
    uint32_t old = *w;

    while ( !__atomic_compare_exchange_n((uint32_t *)w, &old,
                old & ~(1u << EVTCHN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK),
                false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST) )
        ;
    return old & EVTCHN_FIFO_LINK_MASK;
}

/* Take one event off queue q as a guest should. Returns the port, 0 if none. */
static uint32_t consume(struct dom *d, unsigned vcpu, unsigned q, uint32_t *was)
{
    struct evtchn_fifo_control_block *b = control_block(d, vcpu);
    uint32_t port = d->qhead[vcpu][q], next;
    volatile uint32_t *w;

    if ( !port )
        port = *(volatile uint32_t *)&b->head[q];
    w = event_word(d, port);
    if ( !port || !w )
        return 0;
    *was = *w;
    next = unlink_word(w);
    d->qhead[vcpu][q] = next;
    if ( (*was & (1u << EVTCHN_FIFO_PENDING)) && !(*was & (1u << EVTCHN_FIFO_MASKED)) )
        __atomic_and_fetch(w, ~(1u << EVTCHN_FIFO_PENDING), __ATOMIC_SEQ_CST);
    return port;
}

static void do_consume(void)
{
    unsigned q = arg("priority", 7) & 15;
    uint32_t was, port;

    if ( failed )
        return;
    if ( !control_block(actor(), actor_vcpu) )
    {
        emit("= no control block\n");
        return;
    }
    port = consume(actor(), actor_vcpu, q, &was);
    emit("= ");
    if ( !port )
        emit("empty");
    else
    {
        emit("port=%u ", port);
        emit_word(was);
    }
    emit("\n");
}

/* What a guest's upcall handler does; prints the ports it would dispatch. */
static void scan(struct dom *d, unsigned vcpu)
{
    volatile struct vcpu_info *vi = d->vi[vcpu];
    struct evtchn_fifo_control_block *b = control_block(d, vcpu);

    vi->evtchn_upcall_pending = 0;
    emit(" ports");
    if ( !d->fifo )
    {
        uint64_t sel = __atomic_exchange_n(&vi->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

        for ( unsigned i = 0; i < 64; i++ )
            for ( unsigned j = 0; j < 64 && (sel >> i & 1); j++ )
                if ( (d->si->evtchn_pending[i] & ~d->si->evtchn_mask[i]) >> j & 1 )
                {
                    __atomic_and_fetch(&d->si->evtchn_pending[i], ~(1ul << j), __ATOMIC_SEQ_CST);
                    emit(" %u", i * 64 + j);
                }
    }
    else if ( b )
    {
        uint32_t ready = __atomic_exchange_n(&b->ready, 0, __ATOMIC_SEQ_CST);

        while ( ready )
        {
            unsigned q = __builtin_ctz(ready);
            uint32_t was, port = consume(d, vcpu, q, &was);

            if ( port && (was & (1u << EVTCHN_FIFO_PENDING)) && !(was & (1u << EVTCHN_FIFO_MASKED)) )
                emit(" %u", port);
            if ( !d->qhead[vcpu][q] )
                ready &= ~(1u << q);
            ready |= __atomic_exchange_n(&b->ready, 0, __ATOMIC_SEQ_CST);
        }
    }
    emit("\n");
}

static void do_upcall(void)
{
    struct mailbox *m = actor()->mb[actor_vcpu];
    uint32_t before = m->upcalls;

    post(actor(), actor_vcpu, JOB_UPCALL);
    while ( !finished(actor(), actor_vcpu) )
        pause_briefly();
    emit("= upcalls=%u", m->upcalls - before);
    if ( m->upcalls != before )
        scan(actor(), actor_vcpu);
    else
        emit("\n");
}

/* ---- blocking ---- */

static void run_maybe_async(unsigned long op, unsigned long a, uint64_t deadline)
{
    struct dom *d = actor();
    struct mailbox *m = d->mb[actor_vcpu];

    m->nr = __HYPERVISOR_sched_op;
    m->arg[0] = op;
    m->arg[1] = a;
    if ( flag("&") )
    {
        if ( actor_dom == 0 && actor_vcpu == 0 )
        {
            complain("d0.0 runs the scenario and cannot wait:", tok[1]);
            return;
        }
        post(d, actor_vcpu, JOB_HYPERCALL);
        d->async[actor_vcpu] = true;
        emit("= started\n");
        return;
    }
    post(d, actor_vcpu, JOB_HYPERCALL);
    while ( !finished(d, actor_vcpu) )
        pause_briefly();
    result(m->rc);
    if ( deadline && m->rc == 0 )
        emit(" %s", now() >= deadline ? "timeout" : "early");
    emit("\n");
}

static void do_poll(void)
{
    uint8_t *b = actor()->mb[actor_vcpu]->buf;
    struct sched_poll *sp = (void *)b;
    evtchn_port_t *ports = (void *)(b + 64);
    const char *s = text("ports");
    uint64_t deadline = 0;
    unsigned n = 0;

    while ( s && *s && n < 256 )
    {
        char one[24];
        size_t len = 0;

        while ( s[len] && s[len] != ',' && len < sizeof(one) - 1 )
            one[len] = s[len], len++;
        one[len] = 0;
        ports[n++] = value(one);
        s += len + (s[len] == ',');
    }
    memset(sp, 0, sizeof(*sp));
    sp->ports.p = (void *)(BUF_VA(actor_vcpu) + 64);
    sp->nr_ports = arg("nr", n);
    for ( ; n < sp->nr_ports && n < 256; n++ )
        ports[n] = n ? ports[n - 1] : 1;
    if ( text("arg") && streq(text("arg"), "unmapped") )
        sp->ports.p = (void *)0x1000;
    if ( text("timeout") )
        deadline = streq(text("timeout"), "past") ? 1 : now() + value(text("timeout")) * 1000000;
    /*
     * "For ever" is an hour.  Without any timeout the poll might be ended by
     * the timer of an earlier nap (see worker.c): Xen does not stop it when an
     * event ends a poll before its time.
     */
    sp->timeout = deadline ? deadline : now() + 3600000000000ull;
    if ( !failed )
        run_maybe_async(SCHEDOP_poll, BUF_VA(actor_vcpu), deadline);
}

/* ---- things that come from outside the guest ---- */

static void outb(uint16_t port, uint8_t v)
{
    __asm__ __volatile__("outb %0, %1" :: "a"(v), "Nd"(port));
}

static uint8_t inb(uint16_t port)
{
    uint8_t v;
    __asm__ __volatile__("inb %1, %0" : "=a"(v) : "Nd"(port));
    return v;
}

/* Physical IRQ 1 on demand: let the keyboard controller loop a byte back. */
static void keyboard_interrupt(void)
{
    struct physdev_set_iopl iopl = { .iopl = 3 };

    hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, P(&iopl), 0, 0, 0);
    while ( inb(0x64) & 1 )
        inb(0x60);
    outb(0x64, 0x60);           /* controller configuration: */
    outb(0x60, 0x45);           /* keyboard interrupt on, translation on */
    outb(0x64, 0xd2);           /* "write keyboard output buffer": */
    outb(0x60, 0x1e);
    wait_ns(20000000);
    inb(0x60);
}

static void do_raise(void)
{
    uint64_t virq = arg("virq", ~0ul);
    long rc = 0;

    if ( virq == VIRQ_TIMER )
    {
        struct vcpu_set_singleshot_timer *t = (void *)actor()->mb[actor_vcpu]->buf;

        t->timeout_abs_ns = now() + 5000000;
        t->flags = 0;
        rc = call(actor(), actor_vcpu, __HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer,
                  actor_vcpu, BUF_VA(actor_vcpu));
    }
    else if ( virq == VIRQ_DEBUG )
    {
        static struct xen_sysctl ctl;
        static char key[] = "q";

        ctl.cmd = XEN_SYSCTL_debug_keys;
        ctl.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        set_xen_guest_handle(ctl.u.debug_keys.keys, key);
        ctl.u.debug_keys.nr_keys = 1;
        rc = hypercall(__HYPERVISOR_sysctl, P(&ctl), 0, 0, 0, 0);
    }
    else if ( text("pirq") && arg("pirq", 0) == 1 )
        keyboard_interrupt();
    else if ( virq == VIRQ_CON_RING )
        rc = hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, 1, P("\n"), 0, 0);
    else
        complain("cannot raise", tok[2]);
    if ( failed )
        return;
    wait_ns(50000000);
    result(rc);
    emit("\n");
}

/* Create a device model server: Xen allocates a port of its own for each vCPU. */
static long ioreq_server(unsigned domid)
{
    struct xen_dm_op op = { .op = XEN_DMOP_create_ioreq_server };
    struct xen_dm_op_buf buf = { .size = sizeof(op) };

    set_xen_guest_handle(buf.h, (void *)&op);
    return hypercall(__HYPERVISOR_dm_op, domid, 1, P(&buf), 0, 0);
}

static void do_toolstack(const char *verb)
{
    struct xen_domctl ctl = {};
    unsigned k = arg("dom", 0);
    long rc = 0;

    if ( failed )
        return;
    if ( streq(verb, "create") )
    {
        if ( k == 0 || k >= MAX_DOMS || doms[k].exists )
        {
            complain("cannot create", text("dom"));
            return;
        }
        rc = dom_create(k, arg("vcpus", 1), arg("max_port", 0xffffffff),
                        flag("active") ? ACTIVE : flag("hvm") ? HVM : PASSIVE);
    }
    else if ( k && (k >= MAX_DOMS || !doms[k].exists) )
    {
        complain("no such domain:", text("dom"));
        return;
    }
    else if ( streq(verb, "destroy") )
        rc = dom_destroy(k, flag("keep"));
    else if ( streq(verb, "shutdown") )
    {
        struct sched_remote_shutdown s = { .domain_id = k, .reason = arg("reason", 0) };

        rc = hypercall(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, P(&s), 0, 0, 0);
        wait_ns(50000000);
        for ( unsigned v = 0; rc == 0 && v < MAX_VCPUS; v++ )
            doms[k].started[v] = false;
    }
    else if ( streq(verb, "pause") || streq(verb, "unpause") )
    {
        rc = dom_pause(k, streq(verb, "pause"));
        doms[k].paused = streq(verb, "pause") && rc == 0;
    }
    else if ( streq(verb, "map_pirq") )
    {
        /* Make a legacy interrupt line available to a domain. */
        struct physdev_map_pirq map = { .domid = k ? k : DOMID_SELF, .type = MAP_PIRQ_TYPE_GSI,
                                        .index = arg("pirq", 0), .pirq = arg("pirq", 0) };
        rc = hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, P(&map), 0, 0, 0);
    }
    else if ( streq(verb, "ioreq_server") )
        rc = ioreq_server(k);
    else if ( streq(verb, "set_target") )
    {
        ctl.u.set_target.target = arg("target", 0);
        rc = do_domctl(&ctl, XEN_DOMCTL_set_target, k);
    }
    else if ( streq(verb, "set_virq_handler") )
    {
        ctl.u.set_virq_handler.virq = arg("virq", 0);
        rc = do_domctl(&ctl, XEN_DOMCTL_set_virq_handler, k);
    }
    else if ( streq(verb, "irq_permission") )
    {
        ctl.u.irq_permission.pirq = arg("pirq", 0);
        ctl.u.irq_permission.allow_access = arg("allow", 1);
        rc = do_domctl(&ctl, XEN_DOMCTL_irq_permission, k);
    }
    result(rc);
    emit("\n");
}

/* List every port of a domain that is not closed, by asking for its status. */
static void do_ports(void)
{
    struct evtchn_status *s = (void *)actor()->mb[actor_vcpu]->buf;
    unsigned dom = arg("dom", DOMID_SELF), port;
    long rc = 0;

    if ( failed )
        return;
    for ( port = 0; ; port++ )
    {
        memset(s, POISON, sizeof(*s));
        s->dom = dom;
        s->port = port;
        rc = call(actor(), actor_vcpu, __HYPERVISOR_event_channel_op, EVTCHNOP_status,
                  BUF_VA(actor_vcpu), 0);
        if ( rc == -XEN_EACCES )
        {
            emit("= port %u -13 EACCES\n", port);
            continue;
        }
        if ( rc )
            break;
        if ( s->status == EVTCHNSTAT_closed )
            continue;
        emit("= port %u", port);
        emit_status(s);
        emit("\n");
    }
    result(rc);
    emit(" at port %u\n", port);
}

/* VCPUOP_register_vcpu_info: move the acting vCPU's vcpu_info into a page. */
static void do_register_vcpu_info(void)
{
    struct dom *d = actor();
    struct mailbox *m = d->mb[actor_vcpu];
    struct vcpu_register_vcpu_info *r = (void *)m->buf;
    unsigned page = arg("page", 0), offset = arg("offset", 0);
    long rc;

    if ( page >= d->pages )
        complain("no such page:", text("page"));
    if ( failed )
        return;
    r->mfn = d->mfn[page];
    r->offset = offset;
    r->rsvd = 0;
    rc = call(d, actor_vcpu, __HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info,
              arg("vcpu", actor_vcpu), BUF_VA(actor_vcpu));
    if ( rc == 0 )
    {
        unsigned v = arg("vcpu", actor_vcpu) % MAX_VCPUS;
        uint8_t *own = actor_dom ? du_scratch[page] : d->page[page];

        d->vi[v] = (void *)(d->page[page] + offset);
        d->vi_page[v] = page;
        if ( d->mb[v] )
            d->mb[v]->info = (void *)(own + offset);
    }
    result(rc);
    emit("\n");
}

/* ---- statements ---- */

static void guest_statement(const char *verb, unsigned at)
{
    struct dom *d = actor();
    volatile struct vcpu_info *vi = d->vi[arg("vcpu", actor_vcpu) % MAX_VCPUS];
    struct evtchn_fifo_control_block *b = control_block(d, actor_vcpu);

    if ( streq(verb, "mask") )
        port_bit(EVTCHN_FIFO_MASKED, true, true);
    else if ( streq(verb, "clear_mask") )
        port_bit(EVTCHN_FIFO_MASKED, true, false);
    else if ( streq(verb, "set_pending") )
        port_bit(EVTCHN_FIFO_PENDING, false, true);
    else if ( streq(verb, "clear_pending") )
        port_bit(EVTCHN_FIFO_PENDING, false, false);
    else if ( streq(verb, "clear_linked") )
    {
        volatile uint32_t *w = event_word(d, arg("port", 0));

        if ( w )
            emit("= link=%u\n", unlink_word(w));
        else
            emit("= no such event\n");
    }
    else if ( streq(verb, "upcall_mask") || streq(verb, "upcall_pending") || streq(verb, "pending_sel") )
    {
        uint64_t v = arg("value", 0);

        if ( streq(verb, "upcall_mask") )
            vi->evtchn_upcall_mask = v;
        else if ( streq(verb, "upcall_pending") )
            vi->evtchn_upcall_pending = v;
        else
            vi->evtchn_pending_sel = v;
        emit("= 0\n");
    }
    else if ( streq(verb, "clear_ready") )
    {
        if ( b )
            emit("= ready=0x%x\n", __atomic_fetch_and(&b->ready,
                 text("priority") ? ~(1u << arg("priority", 0)) : 0, __ATOMIC_SEQ_CST));
        else
            emit("= no control block\n");
    }
    else if ( streq(verb, "poke") )
    {
        unsigned page = arg("page", 0), off = arg("offset", 0);

        if ( page < d->pages && off < PAGE )
            *(volatile uint32_t *)(d->page[page] + (off & ~3u)) = arg("value", 0);
        emit("= 0\n");
    }
    else if ( streq(verb, "consume") )
        do_consume();
    else if ( streq(verb, "handle") )
    {
        emit("=");
        scan(d, actor_vcpu);
    }
    else if ( streq(verb, "register_vcpu_info") )
        do_register_vcpu_info();
    else if ( streq(verb, "ports") )
        do_ports();
    else if ( streq(verb, "poll") )
        do_poll();
    else if ( streq(verb, "block") )
        run_maybe_async(SCHEDOP_block, 0, 0);
    else if ( streq(verb, "raise") )
        do_raise();
    else if ( streq(verb, "upcall") )
        do_upcall();
    else if ( streq(verb, "multicall") )
        do_multicall(at + 1);
    else if ( streq(verb, "repeat") )
        do_repeat(at + 1);
    else if ( streq(verb, "compat") )
        do_evtchn(at + 1, true);
    else
        do_evtchn(at, false);
}

/* "dK.V" */
static bool parse_actor(const char *s)
{
    if ( s[0] != 'd' || s[1] < '0' || s[1] > '9' || s[2] != '.' || s[3] < '0' || s[3] > '9' || s[4] )
        return false;
    actor_dom = s[1] - '0';
    actor_vcpu = s[3] - '0';
    return true;
}

static void statement(char *line, size_t len)
{
    ntok = 0;
    failed = false;
    for ( size_t i = 0; i < len; )
    {
        while ( i < len && (line[i] == ' ' || line[i] == '\t') )
            line[i++] = 0;
        if ( i < len && ntok < MAX_TOKENS )
            tok[ntok++] = line + i;
        while ( i < len && line[i] != ' ' && line[i] != '\t' )
            i++;
    }
    if ( !ntok )
        return;

    if ( parse_actor(tok[0]) )
    {
        struct dom *d = &doms[actor_dom % MAX_DOMS];

        if ( actor_dom >= MAX_DOMS || !d->exists || actor_vcpu >= d->vcpus )
            complain("no such actor:", tok[0]);
        else if ( !d->started[actor_vcpu] || d->paused )
            complain("this vCPU cannot act:", tok[0]);
        else if ( d->async[actor_vcpu] )
            complain("still waiting:", tok[0]);
        else if ( ntok < 2 )
            complain("no operation:", tok[0]);
        else
            guest_statement(tok[1], 1);
    }
    else
    {
        static const char *const verbs[] = { "create", "destroy", "pause", "unpause", "set_target",
                                             "set_virq_handler", "irq_permission", "map_pirq",
                                             "ioreq_server", "shutdown" };
        unsigned i;

        actor_dom = actor_vcpu = 0;
        for ( i = 0; i < sizeof(verbs) / sizeof(*verbs) && !streq(tok[0], verbs[i]); i++ )
            ;
        if ( i < sizeof(verbs) / sizeof(*verbs) )
            do_toolstack(tok[0]);
        else if ( streq(tok[0], "show") )
        {
            struct dom *d = dom_arg();
            if ( d )
                state_show(d - doms);
        }
        else if ( streq(tok[0], "echo") )
            emit("= %lu\n", arg("value", 0));
        else
            complain("unknown statement:", tok[0]);
    }
    state_settle();
    state_diff();
}

void script_run(char *text, size_t len)
{
    for ( size_t i = 0; i < len; )
    {
        char *line = text + i;
        size_t n = 0;

        while ( i + n < len && line[n] != '\n' && line[n] != 0 )
            n++;
        i += n + 1;
        /* Expected lines of an earlier recording are not part of the scenario. */
        if ( n && (line[0] == '=' || line[0] == '~' || line[0] == '!') )
            continue;
        emit_raw(line, n);
        emit("\n");
        if ( n && line[0] != '#' )
        {
            line[n] = 0;
            statement(line, n);
        }
    }
}
