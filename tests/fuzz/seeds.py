#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Seeds for the fuzzer: what the recordings do, as steps of engine.c.

    seeds.py conformance/recorded DIR

A seed need not do the same as its recording, only meet as much of the engine:
what the fuzzer's steps cannot say is left out.
"""
import pathlib
import re
import sys

OPS = ['bind_interdomain', 'bind_virq', 'bind_pirq', 'close', 'send', 'status',
       'alloc_unbound', 'bind_ipi', 'bind_vcpu', 'unmask', 'reset',
       'init_control', 'expand_array', 'set_priority']
# The fields of an operation's argument that its two numbers are.
NUMBERS = {'bind_interdomain': (None, 'remote_port'), 'status': (None, 'port'),
           'bind_virq': ('virq', 'vcpu'), 'bind_pirq': ('pirq', 'flags'),
           'bind_ipi': ('vcpu', None), 'bind_vcpu': ('port', 'vcpu'),
           'set_priority': ('port', 'priority'), 'close': ('port', None),
           'send': ('port', None), 'unmask': ('port', None),
           'init_control': (None, 'vcpu')}
SELF = 0x7ff0
IDS = [0, 1, 2, SELF, 3, 0x7fff, 0xffff]
MASK, PENDING = 2560 // 4, 2048 // 4  # words of a 64-bit guest's bits


class Recording:
    def __init__(self):
        self.names = {}  # what OUT fields were stored as

    def value(self, text, names):
        """A number, as FORMAT.md has them; 0 for what is none."""
        name = re.fullmatch(r'\$(\w+?)([+-]\d+)?', text)
        if name:
            return names.get(name[1], 0) + int(name[2] or 0)
        if re.fullmatch(r'd\d', text):
            return int(text[1])
        if text == 'self':
            return SELF
        try:
            return int(text, 0) & 0xffffffff
        except ValueError:
            return 0

    def fields(self, words):
        pairs = (w.split('=', 1) for w in words if '=' in w)
        return {k: self.value(v.split(',')[0], self.names) for k, v in pairs}


def number(n):
    return bytes([n]) if n < 32 else b'\xff' + n.to_bytes(4, 'big')


def ident(n):
    return bytes([IDS.index(n) if n in IDS else 5])


def argument(op, fields):
    """What put_argument() reads."""
    first, second = NUMBERS.get(op, (None, None))
    numbers = [fields.get(first, 0), fields.get(second, 0)]
    if op == 'init_control':
        numbers[0] = fields.get('offset', 0) // 128
    page = fields.get('page', 0) % 3 + (2 if op == 'expand_array' else 0)
    ids = [fields.get('dom', fields.get('remote_dom', 0)),
           fields.get('remote_dom', 0)]
    return (number(numbers[0]) + number(numbers[1]) + ident(ids[0]) +
            ident(ids[1]) + bytes([page % 5]))


def scribble(frame, offset, value):
    return (bytes([4, frame, 1]) + offset.to_bytes(4, 'big') + b'\x08' +
            value.to_bytes(4, 'big'))


def change_bit(verb, port):
    """Words of both ABIs: the fuzzer will find out which one it was."""
    base, bit = (MASK, 30) if 'mask' in verb else (PENDING, 31)
    on = verb in ('mask', 'set_pending')
    yield scribble(0, base + port // 32 % 128, (1 << port % 32) * on)
    yield scribble(4, port % 1024, (1 << bit) * on)


def act(vcpu, verb, words, rec):
    """The steps of one statement, each without the byte that says who."""
    fields = rec.fields(words)
    if verb in OPS:
        yield (bytes([vcpu * 16, OPS.index(verb)]) + argument(verb, fields))
    elif verb == 'multicall':
        ops = [op.split() for op in ' '.join(words).split(';')]
        ops = [op for op in ops if op and op[0] in OPS][:4]
        if ops:
            yield (bytes([vcpu * 16 + 11, len(ops) - 1]) +
                   b''.join(bytes([OPS.index(op[0])]) +
                            argument(op[0], rec.fields(op[1:])) for op in ops))
    elif verb in ('handle', 'upcall', 'consume', 'clear_linked'):
        yield bytes([8, vcpu])
    elif verb in ('mask', 'clear_mask', 'set_pending', 'clear_pending'):
        yield from change_bit(verb, fields.get('port', 0))
    elif verb == 'poke':
        for frame in (2, 4):  # of control blocks, of event words
            yield scribble(frame + fields.get('page', 0) % 3,
                           fields.get('offset', 0) // 4 % 1024,
                           fields.get('value', 0))
    elif verb in ('poll', 'block'):
        port = number(fields.get('ports', 0))
        yield bytes([vcpu * 16 + 10, 3 if verb == 'poll' else 1, 1]) + port * 8
    elif verb == 'register_vcpu_info':
        yield (bytes([vcpu * 16 + 9, fields.get('page', 0) % 5]) +
               number(fields.get('offset', 0) // 4) + b'\x02\x07' +
               number(fields.get('vcpu', vcpu)))
    elif verb == 'raise':
        kind = 2 if 'pirq' in fields else 0
        yield (bytes([13, vcpu << 5 | kind]) +
               number(fields.get('pirq', fields.get('virq', 0))))
    elif verb in ('compat', 'repeat'):
        rest = words if verb == 'compat' else words[1:]
        if rest:
            yield from act(vcpu, rest[0], rest[1:], rec)


ADMIN = {'pause': (1, 0), 'unpause': (2, 0), 'destroy': (11, 3)}


def administer(verb, words, rec):
    fields = rec.fields(words)
    if verb in ADMIN:
        yield bytes([3, *ADMIN[verb]])
    elif verb == 'set_target':
        yield bytes([3, 3, fields.get('target', 0) % 4])
    elif verb == 'set_virq_handler':
        yield bytes([3, 0, fields.get('virq', 0) % 32])


def steps(path):
    rec = Recording()
    stored = None  # the name that the next result is stored as
    for line in path.read_text().splitlines():
        if line.startswith('='):
            out = re.search(r'(?:port|link_bits)=(\d+)', line)
            if stored:
                rec.names[stored] = int(out[1]) if out else 0
            stored = None
            continue
        words = line.split()
        if not words or line[0] in '#~!':
            continue
        if '->' in words:
            stored = words[-1]
            words = words[:-2]
        actor = re.fullmatch(r'd([0-2])\.([0-3])', words[0])
        if actor and len(words) > 1:
            for step in act(int(actor[2]), words[1], words[2:], rec):
                yield bytes([int(actor[1])]) + step
        elif not actor:
            dom = rec.fields(words[1:]).get('dom', 0) % 3
            for step in administer(words[0], words[1:], rec):
                yield bytes([0xc0 + dom]) + step


def main():
    source, to = map(pathlib.Path, sys.argv[1:])
    to.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob('*.evt')):
        body = b''.join(steps(path))
        # Xen 4.17's answers; d1 of 32 bits; saved and restored on the way.
        for mode in (0x42, 0x06, 0x82):
            (to / f'{path.stem}-{mode:02x}').write_bytes(bytes([mode]) + body)


main()
