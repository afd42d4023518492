#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is the stress test's checker any good?  Plant faults and see them caught.

    planted.py [--part K/N] SOURCE-ROOT LIBEVC.so [NAME...]

Each fault is a change of one place in src/guest, which must be found exactly
once.  The library with the fault is compiled with the stress test, and that
must fail, or hang long after it would have ended by itself.  Exit status: 0; 1: a fault was not caught.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

# name: (ABI, file, what stands there, what takes its place)
FAULTS = {
    # ---- those the issue names -------------------------------------------------
    'clear after the handler, two-level': (
        'twolevel', 'twolevel.c',
        '''    return clear_ar(wide, guest->pending, word, ready) & ready;
}''',
        '''    return ready;
}''',
        'evc_run(self, &ports[port], port);',
        '''evc_run(self, &ports[port], port);
        evc_g_twolevel_take(self->guest, port);'''),
    'clear after the handler, the only one of a word': (
        'twolevel', 'twolevel.c',
        '''    if (!cas_ar(wide, guest->pending, word, pending, pending & ~ready))
        return 0;
    return ready;''',
        '    return ready;',
        'return evc_run_only(self, &guest->ports[port], port);',
        '''{
        int more = evc_run_only(self, &guest->ports[port], port);

        evc_g_twolevel_take(guest, port);
        return more;
    }'''),
    'clear after the handler, FIFO': (
        'fifo', 'fifo.c',
        '*old & ~(LINKED | LINK | taken)', '*old & ~(LINKED | LINK)',
        '''    next = follow(guest, old);
    evc_run(self, &guest->ports[port], port);''',
        '''    next = follow(guest, old);
    evc_run(self, &guest->ports[port], port);
    evc_g32_clear_ar(&guest->events[port], PENDING);''',
        'return evc_run_only(self, &guest->ports[port], port);',
        '''{
        int more = evc_run_only(self, &guest->ports[port], port);

        evc_g32_clear_ar(&guest->events[port], PENDING);
        return more;
    }'''),
    'ready is not read again': (
        'fifo', 'fifo.c',
        'port != 0 &&\n             evc_g32_load_rlx(&self->control[READY]) == 0);',
        'port != 0);',
        'if (told || evc_g32_load_rlx(&self->control[READY]) != 0)',
        'if (told || self->ready == 0)'),
    'clear without an atomic, two-level': (
        'twolevel', 'twolevel.c',
        'return clear_ar(wide, guest->pending, word, ready) & ready;',
        '''{
        volatile evc_abi_u64 *at =
            (volatile evc_abi_u64 *)(void *)guest->pending + word;
        evc_abi_u64 was = *at;

        for (volatile int i = 0; i < 20; i++)
            ;
        *at = was & ~ready;
        return was & ready;
    }'''),
    'clear without an atomic, the only one of a word': (
        'twolevel', 'twolevel.c',
        '''    if (!cas_ar(wide, guest->pending, word, pending, pending & ~ready))
        return 0;
    return ready;''',
        '''    for (volatile int i = 0; i < 500; i++)
        ;
    ((volatile evc_abi_u64 *)(void *)guest->pending)[word] = pending & ~ready;
    return ready;'''),
    'clear without an atomic, FIFO': (
        'fifo', 'fifo.c',
        'return evc_g32_cas_ar(word, old, *old & ~(LINKED | LINK | taken));',
        '''for (volatile int n = 0; n < 20; n++)
        ;
    *(volatile evc_abi_u32 *)&word->raw_ = *old & ~(LINKED | LINK | taken);
    return 1;'''),
    'unmask does not look at PENDING, two-level': (
        'twolevel', 'twolevel.c',
        'if (!is_pending_sc(guest, port))\n        return;',
        '(void)is_pending_sc(guest, port);\n    return;'),
    'unmask does not look at PENDING, FIFO': (
        'fifo', 'fifo.c', '!(old & (PENDING | BUSY))', '!(old & BUSY)'),
    # ---- rows of the ordering tables, by the program's order --------------------
    'G1: the flag is cleared after the selector': (
        'twolevel', 'upcall.c',
        'evc_g8_store_rlx(info, 0); /* G1, pairs with P4 */', '',
        '''    selected = collect_words(info, WIDE);
''',
        '''    selected = collect_words(info, WIDE);
    for (volatile int i = 0; i < 3000; i++)
        ;
    evc_g8_store_rlx(info, 0);
''', 'twolevel.c'),
    'G1, FIFO': (
        'fifo', 'upcall.c',
        'evc_g8_store_rlx(info, 0); /* G1, pairs with P4 */', '',
        '''    if (!EVC_LIKELY(ready != 0 &&''',
        '''    for (volatile int i = 0; i < 3000; i++)
        ;
    evc_g8_store_rlx(self->info, 0);
    if (!EVC_LIKELY(ready != 0 &&''', 'fifo.c',
        'evc_g8_store_rlx(self->info, 0); /* G1, pairs with P4 */', ';',
        '''        more = pass(self, told);
''',
        '''        more = pass(self, told);
        for (volatile int i = 0; i < 3000; i++)
            ;
        if (told)
            evc_g8_store_rlx(self->info, 0);
'''),
    'G2: the selector is taken after its words': (
        'twolevel', 'twolevel.c',
        '        serve_word(self, wide, word, skip);',
        '''        serve_word(self, wide, word, skip);
        (void)collect_words(self->info, wide);
        if (skip == 0)
            self->selected &= ~evc_bit(word);''',
        '''    if (!EVC_LIKELY(evc_is_single(selected)))''',
        '''    if (1)'''),
    'G2: the head is read before ready is taken': (
        'fifo', 'fifo.c',
        '''    return evc_g32_swap_ar(&self->control[READY], 0) & ALL_QUEUES;''',
        '''    for (int q = 0; q < 16; q++)
        early[self->index][q] = evc_g32_load_acq(&self->control[HEAD + q]);
    for (volatile int i = 0; i < 20; i++)
        ;
    return evc_g32_swap_ar(&self->control[READY], 0) & ALL_QUEUES;''',
        'static inline evc_abi_u32 collect(', '''static evc_port early[64][16];
static inline evc_abi_u32 collect(''',
        'return evc_g32_load_rlx(&self->control[HEAD + queue]);',
        'return early[self->index][queue];'),
    'G4: the head is read without a ready bit': (
        'fifo', 'fifo.c',
        '        port = serve_event(self, guest, port);',
        '''        evc_port was = port;

        port = serve_event(self, guest, port);
        if (port == 0 && head_of(self, queue) != was)
            port = head_of(self, queue);'''),
    'G4: the link is read after the word is given back': (
        'fifo', 'fifo.c',
        'return evc_g32_cas_ar(word, old, *old & ~(LINKED | LINK | taken));',
        '''for (volatile int n = 0; n < 20; n++)
        ;
    if (*old & LINK)
        return evc_g32_cas_ar(word, old, *old & ~(LINKED | LINK | taken));
    (void)evc_g32_clear_ar(word, LINKED | LINK | taken);
    return 1;'''),
    'N1: nobody says what it is busy with, two-level': (
        'twolevel', 'run.h',
        'busy + 1 + EVC_BUSY_ACTIVE + key)', 'busy + 1 + EVC_BUSY_ACTIVE)'),
    'N1, FIFO': (
        'fifo', 'run.h',
        'busy + 1 + EVC_BUSY_ACTIVE + key)', 'busy + 1 + EVC_BUSY_ACTIVE)'),
    'N4: nobody waits': (
        'fifo', 'settle.c',
        '''        if (v == self->index || (busy & EVC_BUSY_KEY) != key)
            continue;''',
        '        (void)busy, (void)key;\n        continue;'),
    'M3: the state is not looked at again': (
        'twolevel', 'mask.c', 'while (runs != was);',
        'while (0);\n    (void)was;',
        'write_bit(self, port, runs);',
        '''for (volatile int i = 0; i < 2000; i++)
            ;
        write_bit(self, port, runs);'''),
    'an event is not put back, two-level': (
        'twolevel', 'upcall.c',
        'evc_g_twolevel_give(self->guest, port);', ';'),
    'an event is not put back, FIFO': (
        'fifo', 'upcall.c', 'evc_g_fifo_give(self->guest, port);', ';'),
    # ---- others -------------------------------------------------------------------
    'a move does not wait': (
        'twolevel', 'settle.c',
        '''        wait_elsewhere(self, port);
        return finish(self, port);''', '''        return finish(self, port);'''),
    'a port has two owners': (
        'twolevel', 'twolevel.c',
        'if (theirs != 0) {', 'if (0) {',
        '(ready & load_rlx(wide, self->left_us, word))', '0',
        'REASONS | EVC_STATE_VCPUS)) ==\n           self->runs',
        'REASONS)) ==\n           EVC_STATE_BOUND', 'run.h'),
    'the last queue first': (
        'fifo', 'fifo.c', 'EVC_LOWEST32(self->ready)',
        '31 - (unsigned)__builtin_clz(self->ready)'),
    'budget is cut without putting back': (
        'twolevel', 'twolevel.c',
        '(void)set_rlx(is_wide(guest), guest->pending, word, rest);', ''),
}

FLAGS = ['-std=gnu11', '-O2', '-w', '-D_GNU_SOURCE', '-pthread']


def plant(folder, fault):
    """Make the changes of one fault in a copy of src/guest."""
    name, changes = fault[1], list(fault[2:])
    while changes:
        old, new = changes[:2]
        file = folder / name
        text = file.read_text()
        if text.count(old) != 1 and len(changes) >= 3 and \
                changes[2].endswith(('.c', '.h')):
            file = folder / changes[2]
            text = file.read_text()
        if text.count(old) != 1:
            sys.exit(f'planted: {file.name} has not exactly once:\n{old}')
        file.write_text(text.replace(old, new))
        changes = changes[3:] if len(changes) >= 3 and \
            changes[2].endswith(('.c', '.h')) else changes[2:]


def compile_with(root, library, folder, program):
    """The stress test with the library in `folder`."""
    tests = root / 'tests/guest'
    subprocess.run(
        ['cc', *FLAGS, f'-I{root}/include', f'-I{tests}', f'-I{folder}',
         tests / 'stress.c', tests / 'side.c', *sorted(folder.glob('*.c')),
         library, f'-Wl,-rpath,{library.parent}', '-o', program], check=True)


def is_caught(root, library, name):
    fault = FAULTS[name]
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place) / 'guest'
        shutil.copytree(root / 'src/guest', folder)
        plant(folder, fault)
        program = pathlib.Path(place) / 'stress'
        compile_with(root, library, folder, program)
        environment = dict(os.environ, EVC_STRESS_PATIENCE='1',
                           EVC_STRESS_SECONDS='40')
        environment.pop('EVC_STRESS_EVENTS', None)
        for _ in range(4):  # chance has a part in it
            try:
                ran = subprocess.run([program, fault[0], '10000000'],
                                     timeout=180, env=environment,
                                     capture_output=True, text=True)
            except subprocess.TimeoutExpired:
                print(f'caught   {name}: it hangs', flush=True)
                return True
            if ran.returncode:
                break
    said = ran.stdout.split('\n')[0] or f'status {ran.returncode}'
    print(f'{"caught  " if ran.returncode else "NOT SEEN"} {name}: {said}',
          flush=True)
    return ran.returncode != 0


def part_of(names):
    """--part K/N: every N-th, from the K-th on."""
    if len(sys.argv) < 3 or sys.argv[1] != '--part':
        return names
    part, parts = map(int, sys.argv[2].split('/'))
    del sys.argv[1:3]
    return list(names)[part::parts]


def main():
    everything = part_of(FAULTS)
    root = pathlib.Path(sys.argv[1]).resolve()
    library = pathlib.Path(sys.argv[2]).resolve()
    names = sys.argv[3:] or everything
    missed = [name for name in names if not is_caught(root, library, name)]
    sys.exit(1 if missed else 0)


if __name__ == '__main__':
    main()
