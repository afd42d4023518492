#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No public name is left out.

1. Every plain name of our headers is in entries.inc, so that test_xen.c holds
   it against Xen's; every member of layout.inc is in layout_entries.inc.
2. Every name of Xen's event_channel.h and errno.h is in ours.  Those two claim
   Xen's include guards, and a program must not lose a name by that.

names.py INCLUDE [XEN_INCLUDE]; without Xen's headers 2. is left out.
"""
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).parent

# In one of Xen's headers, and not for guests or programs.
NOT_PUBLIC = {'EVTCHNOP_reset_cont', 'XEN_ERRNO', 'XEN_ERRNO_DEFAULT_INCLUDE',
              'XEN_EINTR', 'XEN_ERESTART'}
# Macros about types rather than numbers.
NOT_NUMBERS = {'DEFINE_XEN_GUEST_HANDLE', 'XEN_GUEST_HANDLE',
               'set_xen_guest_handle', 'xen_wc_sec_hi'}


def text(path):
    return re.sub(r'/\*.*?\*/', '', path.read_text(), flags=re.S)


def macros(source):
    return {name for name in re.findall(r'^#\s*define\s+(\w+)', source, re.M)
            if not name.endswith('_H') and not name.endswith('_H__')}


def structs(source):
    """{struct: members}, nested ones included."""
    found = {}
    pattern = r'^struct (?:EVC_ABI_LAYOUT_NAME\()?(\w+)\)? \{(.*?)^\};'
    for name, body in re.findall(pattern, source, re.S | re.M):
        found[name] = set(re.findall(r'(\w+)(?:\[[^;]*\])?;', body))
    return found


def typedefs(source):
    return set(re.findall(r'^typedef [^;{]*?(\w+);', source, re.M))


def missing_entries(include):
    abi = include / 'evc' / 'abi'
    entries = text(HERE / 'entries.inc')
    layouts = text(HERE / 'layout_entries.inc')
    numbers = set(re.findall(r'NUMBER\((\w+)\)', entries))
    sizes = set(re.findall(r'SIZE\((?:struct )?(\w+)\)', entries))

    for path in sorted(abi.glob('*.h')):
        source = text(path)
        if path.name in ('layouts.h', 'offsets.h', 'types.h'):
            continue
        for name in macros(source) | set(re.findall(r'\bXEN_E\w+', source)):
            if not name.startswith('EVC_ABI') and \
                    name not in numbers | NOT_NUMBERS:
                yield f'{path.name}: {name} is not in entries.inc'
        for name in typedefs(source):
            if not name.startswith('evc_abi') and name not in sizes:
                yield f'{path.name}: {name} is not in entries.inc'
        for name, members in structs(source).items():
            for member in members:
                if not re.search(rf'FIELD\(struct {name}, (\w+\.)*{member}\)',
                                 entries):
                    yield f'{path.name}: {name}.{member} is not in entries.inc'

    for name, members in structs(text(abi / 'layout.inc')).items():
        for member in members:
            if not re.search(rf'LAYOUT_FIELD\({name}, (\w+\.)*{member}\)',
                             layouts):
                yield f'layout.inc: {name}.{member} is not in the entries'


def missing_in_ours(include, xen):
    abi = include / 'evc' / 'abi'
    for name in ('event_channel.h', 'errno.h'):
        here, there = text(abi / name), text(xen / 'xen' / name)
        wanted = macros(there) | typedefs(there) | structs(there).keys()
        wanted |= {'XEN_' + e for e in
                   re.findall(r'^XEN_ERRNO\((\w+),', there, re.M)}
        for word in wanted - NOT_PUBLIC - set(re.findall(r'\w+', here)):
            yield f'{name}: Xen has {word}, we have not'


def main():
    include = pathlib.Path(sys.argv[1])
    problems = list(missing_entries(include))
    if len(sys.argv) > 2:
        problems += missing_in_ours(include, pathlib.Path(sys.argv[2]))
    for problem in sorted(problems):
        print(problem)
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
