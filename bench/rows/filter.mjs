// Goal 9: what merely having the filter costs a call that nobody looks at, and the installation.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { root, run, tenRules } from '../frame.mjs';

export const group = {
  title: 'Filter',
  async measure(stage) {
    const table = stage.table('filter', tenRules(await stage.ports()));
    const target = join(root, 'executor/target');
    const cargo = ['build', '--release', '--locked', '--quiet', '--features=fuzz'];
    const place = [
      `--manifest-path=${join(root, 'executor/Cargo.toml')}`,
      `--target-dir=${target}`,
    ];
    execFileSync('cargo', [...cargo, '--example=filter', ...place], { stdio: 'inherit' });
    const instructions = run([join(target, 'release/examples/filter'), table]);
    const text = run([stage.compile('filter'), stage.repetitions * 20], {
      stdio: ['pipe', 'pipe', 'inherit'],
      input: instructions,
    });
    const [executed, length, us, floor] = text.trim().split(' ').map(Number);
    const common = { goal: '9', figures: `${length} instructions in all` };
    return [
      {
        ...common,
        what: 'instructions executed for an untrapped call',
        value: executed,
        limit: 24,
        unit: 'instructions',
      },
      {
        ...common,
        what: 'installing it / a filter of 20 instructions',
        value: us / floor,
        limit: 40 / 30,
        figures: `20 instructions ${floor}, sandlock ${us} µs`,
      },
      {
        ...common,
        what: 'installing it',
        value: us,
        limit: 40,
        unit: 'µs',
        why: `the kernel runs a filter once for every system call number and translates each instruction; one of 20 instructions takes ${floor} µs on this machine, where the goal supposes 30`,
      },
    ];
  },
};
