#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is the JSON of `evc bench` complete, and of the shape evc-bench(1) names?

    shape.py EVC ADAPTER.so

Measures quickly, with every adapter that this machine has and one from
outside, and looks whether each figure is there.  No figure is judged.
"""
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

evc, external = sys.argv[1:]
failures = []


def check(condition, *text):
    if not condition:
        failures.append(' '.join(str(word) for word in text))


def is_spread(thing):
    values = [thing[key] for key in ('low', 'median', 'high')]
    return None in values or values == sorted(values)


def measure(*options):
    command = [evc, 'bench', '--quick', '--rounds=2', '--json', *options]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=500,
                          check=False)
    check(done.returncode == 0, command, 'exits with', done.returncode)
    return json.loads(done.stdout) if done.returncode == 0 else None


def cases():
    """The names of all cases, and of those that tell notifications apart."""
    text = subprocess.run([evc, 'bench', '--list'], stdout=subprocess.PIPE,
                          check=True, text=True).stdout
    lines = text[text.index('Cases:'):].splitlines()[1:]
    return [line.split()[0] for line in lines]


ONE = ['notify', 'dispatch', 'dispatch100', 'bulk', 'calls', 'calls1',
       'private', 'shared', 'receiver', 'descriptors']
TWO = ['notify', 'dispatch', 'dispatch100', 'bulk', 'stream', 'asleep',
       'wake', 'burst', 'pingpong', 'idle']
OURS = ['pending', 'masked', 'whole', 'pair', 'unmask', 'cycle', 'drain',
        'drain-all', 'urgent', 'urgent-all', 'same-port', 'other-port',
        'polled']


def check_result(result):
    for key in ('who', 'case', 'place', 'unit'):
        check(isinstance(result[key], str), key, result)
    for key in ('ports', 'active', 'retaken', 'disturbed'):
        check(isinstance(result[key], int), key, result)
    check(is_spread(result), 'quartiles', result)
    check(result['unit'] != 'ns' or result['median'] > 0, result)


def check_adapter(result, adapter, places):
    """Each case of it has been measured in each place."""
    found = {(r['place'], r['case']) for r in result['results']
             if r['who'] == adapter}
    gaps = [gap for gap in result['not_measured']
            if gap['who'] in (adapter, 'all')]
    for place, names in places.items():
        if any(gap['where'].startswith(place) for gap in gaps):
            continue
        for name in names:
            check((place, name) in found, adapter, place, name, 'is missing')


def check_all(result):
    rounds = result['rounds']
    check(rounds == 2, 'rounds', rounds)
    for one in result['results']:
        check_result(one)
        check(len(one['samples']) == rounds, one)
    for goal in result['goals']:
        check(is_spread(goal), goal)
        reached = goal['goal'] and goal['median'] <= goal['goal']
        check(goal['goal'] == 0 or goal['reached'] == reached, goal)
    for key in ('model', 'kernel', 'online', 'sender_cpu', 'receiver_cpu',
                'realtime', 'load'):
        check(key in result['machine'], key)
    check(any(r['case'] == 'rmw' and r['median'] > 0
              for r in result['results']), 'no unit')


def check_adapters(result):
    places = {'one CPU': ONE, 'threads': TWO, 'processes': TWO}
    names = [a['name'] for a in result['adapters']]
    check(len(names) >= 11 and 'eventfd+poll' in names, names)
    for adapter in result['adapters']:
        if 'missing' in adapter and adapter['missing']:
            continue
        check_adapter(result, adapter['name'], places)
    measured = {r['case'] for r in result['results']}
    lost = set(OURS) - measured
    if any(a['name'] == 'xenevtchn' and a.get('missing')
           for a in result['adapters']):
        lost |= {name for name in cases() if name.startswith('ask-')}
        lost |= {'xen-notify', 'write', 'calls-notify', 'calls-take'}
    check(not lost & set(OURS) or result['machine']['receiver_cpu'] < 0, lost)
    check(set(cases()) - measured - lost == set(), 'not measured',
          set(cases()) - measured)


def check_plot(path, result):
    root = xml.etree.ElementTree.parse(path).getroot()
    text = ' '.join(''.join(part.itertext()) for part in root.iter())
    for adapter in result['adapters']:
        if not adapter.get('missing'):
            check(adapter['name'] in text, adapter['name'], 'is not drawn')


with tempfile.TemporaryDirectory() as folder:
    plot = os.path.join(folder, 'plot.svg')
    told = measure('--load=' + external, '--ports=1,50', '--plot=' + plot)
    if told:
        check_all(told)
        check_adapters(told)
        check_plot(plot, told)

print('\n'.join(failures) or 'ok')
sys.exit(1 if failures else 0)
