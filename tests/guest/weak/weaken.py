#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is every order in the ordering tables needed?  Weaken each, run the models.

    weaken.py [--part K/N] [--first] SOURCE-ROOT [TIMES [ROW...]]

Each entry makes one access of src/guest relaxed; it must be found exactly once.
Some model must then fail; with --first, the others are not tried.
Exit status: 0; 1: a row was not caught.
"""
import argparse
import pathlib
import shutil
import subprocess
import sys
import tempfile

# row: (file, what stands there, what takes its place)
ROWS = {
    'G1 before G2, two-level': (
        'words.h', 'EVC_G_SWAP(64, ar, ACQ_REL)', 'EVC_G_SWAP(64, ar, ACQUIRE)'),
    'G1 before G2, FIFO': (
        'words.h', 'EVC_G_SWAP(32, ar, ACQ_REL)', 'EVC_G_SWAP(32, ar, ACQUIRE)'),
    'G2 take selector': (
        'words.h', 'EVC_G_SWAP(64, ar, ACQ_REL)', 'EVC_G_SWAP(64, ar, RELEASE)'),
    'G2 take ready': (
        'words.h', 'EVC_G_SWAP(32, ar, ACQ_REL)', 'EVC_G_SWAP(32, ar, RELEASE)'),
    'G2 is not done where there is nothing, FIFO': (
        'fifo.c', 'evc_abi_u32 collect(struct evc_guest_vcpu *self)\n{\n',
        'evc_abi_u32 collect(struct evc_guest_vcpu *self)\n{\n'
        '    if (evc_g32_load_rlx(&self->control[READY]) == 0)\n'
        '        return 0;\n'),
    'G2 take one ready bit': (
        'fifo.c', 'evc_g32_clear_ar(&self->control[READY], bit)',
        'evc_g32_clear_rlx(&self->control[READY], bit)'),
    'G3, N2 clear pending, two-level': (
        'twolevel.c', 'clear_ar(wide, guest->pending, word, ready)',
        'clear_rlx(wide, guest->pending, word, ready)'),
    'G3, N2 clear pending of the only one': (
        'words.h', 'EVC_G_CAS(64, ar, ACQ_REL)', 'EVC_G_CAS(64, ar, RELAXED)'),
    'G3, N3 clear pending of one port': (
        'twolevel.c', '&= clear_ar(is_wide(guest), guest->pending,',
        '&= clear_rlx(is_wide(guest), guest->pending,'),
    'G4, G5, N2 take event': (
        'fifo.c', 'evc_g32_cas_ar(word, old, *old & ~(LINKED | LINK | taken))',
        'evc_g32_cas_rlx(word, old, *old & ~(LINKED | LINK | taken))'),
    'G5 clear pending of one port': (
        'fifo.c', 'evc_g32_clear_ar(&guest->events[port], PENDING)',
        'evc_g32_clear_rlx(&guest->events[port], PENDING)'),
    'G6, M2 clear mask': (
        'twolevel.c', 'clear_sc(is_wide(guest), guest->mask,',
        'clear_rlx(is_wide(guest), guest->mask,'),
    'G7 read pending': (
        'twolevel.c', '(load_sc(is_wide(guest), guest->pending,',
        '(load_rlx(is_wide(guest), guest->pending,'),
    'M2 clear masked, FIFO': (
        'fifo.c', 'evc_g32_cas_ar(word, &old, old & ~MASKED)',
        'evc_g32_cas_rlx(word, &old, old & ~MASKED)'),
    'H1 store bound': (
        'bind.c', 'evc_g32_cas_ar(&p->state, &state, (state & EVC_STATE_LISTED) | to)',
        'evc_g32_cas_rlx(&p->state, &state, (state & EVC_STATE_LISTED) | to)'),
    'H1 store free': (
        'settle.c', 'evc_g32_clear_rel(&p->state, ~EVC_STATE_LISTED)',
        'evc_g32_clear_rlx(&p->state, ~EVC_STATE_LISTED)'),
    'H2 claim': (
        'bind.c', 'evc_g32_cas_ar(&p->state, &state, state | EVC_STATE_LOCKED)',
        'evc_g32_cas_rlx(&p->state, &state, state | EVC_STATE_LOCKED)'),
    'H2 load state': (
        'run.h', 'evc_g32_load_acq(&p->state)',
        'evc_g32_load_rlx(&p->state)'),
    'N1, N5 store busy': (
        'run.h',
        'evc_g32_store_rel(&self->busy, busy + 1 + EVC_BUSY_ACTIVE + key)',
        'evc_g32_store_rlx(&self->busy, busy + 1 + EVC_BUSY_ACTIVE + key)'),
    'N5 store idle': (
        'run.h', 'evc_g32_store_rel(&self->busy, busy + 1)',
        'evc_g32_store_rlx(&self->busy, busy + 1)'),
    'N5 store active': (
        'run.h', 'evc_g32_store_rel(&self->busy, busy | EVC_BUSY_ACTIVE)',
        'evc_g32_store_rlx(&self->busy, busy | EVC_BUSY_ACTIVE)'),
    'H2 lock': (
        'settle.c', 'evc_g32_cas_ar(&p->state, &state,\n'
        '                               state | EVC_STATE_LOCKED | reason)',
        'evc_g32_cas_rlx(&p->state, &state,\n'
        '                               state | EVC_STATE_LOCKED | reason)'),
    'N3 touch, two-level': (
        'settle.c', '''    if (evc_g_twolevel_take(guest, port))
        evc_g_twolevel_give(guest, port);''', ''),
    'N3, M2 set masked': (
        'fifo.c', 'evc_g32_set_ar(&guest->events[port], MASKED)',
        'evc_g32_set_rlx(&guest->events[port], MASKED)'),
    'N4 load busy': (
        'settle.c', 'evc_g32_load_acq(&vcpu->busy)',
        'evc_g32_load_rlx(&vcpu->busy)'),
    'M1 change state': (
        'bind.c', 'evc_g32_cas_ar(&p->state, &state, (state & ~clear) | set)',
        'evc_g32_cas_rlx(&p->state, &state, (state & ~clear) | set)'),
    'M2 set mask': (
        'twolevel.c', 'set_ar(is_wide(guest), guest->mask,',
        'set_rlx(is_wide(guest), guest->mask,'),
    'M3 the state is not looked at again': (
        'mask.c', 'while (runs != was);', 'while (0);'),
    'M2, M3 nor after putting back': (
        'upcall.c', 'evc_g_mask_follow(self, port); /* M2, M3 */', ''),
}


def is_caught(root, options, name):
    file, old, new = ROWS[name]
    with tempfile.TemporaryDirectory() as place:
        folder = pathlib.Path(place) / 'guest'
        shutil.copytree(root / 'src/guest', folder)
        text = (folder / file).read_text()
        if text.count(old) != 1:
            sys.exit(f'weaken: {file} has not exactly once:\n{old}')
        (folder / file).write_text(text.replace(old, new))
        program = f'{place}/model'
        subprocess.run([root / 'tests/guest/weak/build.sh', root, folder,
                        program], check=True)
        ran = subprocess.run([program, *options], capture_output=True,
                             text=True)
    said = ran.stdout.strip().replace('\n', '; ')
    print(f'{"caught  " if ran.returncode else "NOT SEEN"} {name}: {said}',
          flush=True)
    return ran.returncode != 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--part', default='0/1')
    parser.add_argument('--first', action='store_true')
    parser.add_argument('root', type=pathlib.Path)
    parser.add_argument('times', nargs='?', default='20000')
    parser.add_argument('rows', nargs='*')
    args = parser.parse_args()
    part, parts = map(int, args.part.split('/'))
    names = args.rows or list(ROWS)[part::parts]
    options = (['-1'] if args.first else []) + [args.times]
    missed = [name for name in names
              if not is_caught(args.root.resolve(), options, name)]
    sys.exit(1 if missed else 0)


if __name__ == '__main__':
    main()
