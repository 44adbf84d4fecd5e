/**
 * UNIX sockets: those of the sandbox itself always work, those outside only where `allow_unix`
 * covers the name that their daemon bound them to. A daemon outside counts what reaches it.
 */
import { chmodSync, mkdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { abstractRefusal } from '../e2e/harness/kernel.ts';
import { run, runSandboxed, sandlock } from '../e2e/harness/run.ts';
import { makeDirectory, probe, users } from '../e2e/harness/stage.ts';
import { openDaemon } from './others.ts';
import { expectSteps, lines, network, type Step } from './steps.ts';

const STREAM: Step = ['new a 1 1 0', '0'];
const DATAGRAM: Step = ['new d 1 2 0', '0'];

describe.each(users)('as $name', (user) => {
  test('allow_unix with a path and an abstract name: those sockets are reached, their neighbours not', async () => {
    const path = join(makeDirectory(), 'daemon');
    const other = join(makeDirectory(), 'daemon');
    const policy = network({
      allow: [],
      allow_unix: [path, `${path}-d`, `@${path}`, `@${path}-d`],
    });
    const steps: Step[] = [
      ...[path, `@${path}`].flatMap((name): Step[] => [
        STREAM,
        [`connect a ${name}`, '0'],
        ['send a', '5'],
      ]),
      DATAGRAM,
      ...[`${path}-d`, `@${path}-d`].map((name): Step => [`sendto d ${name}`, '5']),
      ...[other, `@${other}`].flatMap((name): Step[] => [
        STREAM,
        [`connect a ${name}`, '0', name === other ? 'EACCES' : abstractRefusal],
      ]),
      [`sendto d ${other}-d`, '5', 'EACCES'],
      [`sendto d @${other}-d`, '5', abstractRefusal],
      [`connect d ${other}-d`, '0', 'EACCES'],
      [`connect d @${other}-d`, '0', abstractRefusal],
    ];
    let named = await openDaemon(path);
    let unnamed = await openDaemon(other);
    await expectSteps(user, policy, steps, {
      async between() {
        expect(await named()).toEqual(['path 1 1', 'abstract 1 1']);
        expect(await unnamed()).toEqual(['path 1 1', 'abstract 1 1']);
        named = await openDaemon(path);
        unnamed = await openDaemon(other);
      },
    });
    expect(await named()).toEqual(['path 1 1', 'abstract 1 1']);
    expect(await unnamed()).toEqual(['path 0 0', 'abstract 0 0']);
  });

  test('allow_unix with a directory: every socket below it, by any path, and none beside it', async () => {
    const top = makeDirectory();
    const [below, deep, beside] = ['run', 'run/deep', 'run-2'].map((name) => join(top, name)) as [
      string,
      string,
      string,
    ];
    for (const directory of [below, deep, beside]) mkdirSync(directory);
    symlinkSync(below, join(top, 'alias'));
    symlinkSync(join(beside, 'd'), join(below, 'leads-out'));
    const daemons = await Promise.all(
      [below, deep, beside].map((directory) => openDaemon(join(directory, 'd'))),
    );
    const policy = network({ allow: [], allow_unix: [`${below}/`] });
    await expectSteps(user, policy, [
      STREAM,
      [`connect a ${below}/d`, '0'],
      STREAM,
      [`connect a ${deep}/d`, '0'],
      STREAM,
      [`connect a ${top}/alias/deep/../d`, '0'],
      [`chdir ${below}`, '0'],
      STREAM,
      ['connect a ./deep/d', '0'],
      STREAM,
      [`connect a ${beside}/d`, '0', 'EACCES'],
      STREAM,
      [`connect a ${below}/leads-out`, '0', 'EACCES'],
      STREAM,
      ['connect a ../run-2/d', '0', 'EACCES'],
      STREAM,
      [`connect a ${below}/none`, 'ENOENT'],
    ]);
    // Bare and walled connections wait in the same queues.
    expect(await Promise.all(daemons.map((end) => end()))).toEqual([
      ['path 4 0', 'abstract 0 0'],
      ['path 4 0', 'abstract 0 0'],
      ['path 3 0', 'abstract 0 0'],
    ]);
  });

  test('a link that the program makes: the file behind it is what counts', async () => {
    const top = makeDirectory();
    const path = join(top, 'daemon');
    const other = join(top, 'other');
    const daemon = await openDaemon(path);
    const outside = await openDaemon(other);
    await expectSteps(
      user,
      network({ allow: [], allow_unix: [path] }),
      [
        [`symlink ${path} {}/mine`, '0'],
        STREAM,
        ['connect a {}/mine', '0'],
        [`symlink ${other} {}/theirs`, '0'],
        STREAM,
        ['connect a {}/theirs', '0', 'EACCES'],
      ],
      { inDirectory: true },
    );
    expect(await daemon()).toEqual(['path 2 0', 'abstract 0 0']);
    expect(await outside()).toEqual(['path 1 0', 'abstract 0 0']);
  });

  test('allow_unix with a link: followed, unless it lies where the command may write', async () => {
    const path = join(makeDirectory(), 'daemon');
    for (const isWritable of [true, false]) {
      const top = makeDirectory();
      symlinkSync(path, join(top, 'link'));
      if (!isWritable) chmodSync(top, 0o755);
      // Root may write everywhere.
      const walled = isWritable || user.uid === 0 ? 'EACCES' : '0';
      const daemon = await openDaemon(path);
      await expectSteps(user, network({ allow: [], allow_unix: [join(top, 'link')] }), [
        STREAM,
        [`connect a ${path}`, '0', walled],
        STREAM,
        [`connect a ${top}/link`, '0', walled],
      ]);
      expect(await daemon()).toEqual([`path ${walled === '0' ? 4 : 2} 0`, 'abstract 0 0']);
      rmSync(path, { force: true });
    }
  });

  test('an outside socket that the program links, renames or symlinks to an allowed path: is not reached', async () => {
    const top = makeDirectory();
    const [daemon, place] = [join(top, 'daemon'), join(top, 'place')];
    const [outer, below] = [join(top, 'outside'), join(place, 'd')];
    mkdirSync(place);
    chmodSync(place, 0o777);
    // All are the program's own user's, so that protected_hardlinks(5) lets them be linked.
    const allowed = await openDaemon(daemon, user);
    const inPlace = await openDaemon(below, user);
    const outside = await openDaemon(outer, user);
    const reach = (path: string, isOutside = false): Step[] => [
      STREAM,
      isOutside ? [`connect a ${path}`, '0', 'EACCES'] : [`connect a ${path}`, '0'],
    ];
    const moves = (path: string): Step[] => [
      [`link ${outer} ${path}`, '0'],
      ...reach(path, true),
      [`unlink ${path}`, '0'],
      [`rename ${outer} ${path}`, '0'],
      ...reach(path, true),
      [`rename ${path} ${outer}`, '0'],
      [`symlink ${outer} ${path}`, '0'],
      ...reach(path, true),
      [`unlink ${path}`, '0'],
    ];
    await expectSteps(user, network({ allow: [], allow_unix: [daemon, `${place}/`] }), [
      ...reach(daemon),
      ...reach(below),
      [`rename ${daemon} ${top}/kept`, '0'],
      ...moves(daemon),
      ...moves(`${place}/moved`),
      [`rename ${top}/kept ${daemon}`, '0'],
      ...reach(daemon),
      ...reach(below),
    ]);
    expect(await allowed()).toEqual(['path 4 0', 'abstract 0 0']);
    expect(await inPlace()).toEqual(['path 4 0', 'abstract 0 0']);
    expect(await outside()).toEqual(['path 6 0', 'abstract 0 0']);
  });

  test('a daemon among other mounts that bound to an allowed name: is not reached by the path it has here', async () => {
    const [place, theirs] = [makeDirectory(), makeDirectory()];
    const [allowed, seen] = [join(place, 'daemon'), join(theirs, 'daemon')];
    const among = ['unshare', '-m', 'sh', '-c', `mount --bind ${theirs} ${place} && exec "$@"`, ''];
    // Where each is found by the name its owner gave, and at another place that is allowed.
    const rows: [rules: string[], path: string, walled: string][] = [
      [[allowed], seen, 'EACCES'],
      [[`${place}/`], seen, 'EACCES'],
      [[allowed, `${theirs}/`], seen, '0'],
    ];
    for (const [rules, path, walled] of rows) {
      const daemon = await openDaemon(allowed, undefined, among);
      await expectSteps(user, network({ allow: [], allow_unix: rules }), [
        STREAM,
        [`connect a ${path}`, '0', walled],
      ]);
      expect(await daemon()).toEqual([`path ${walled === '0' ? 2 : 1} 0`, 'abstract 0 0']);
      for (const name of [seen, `${seen}-d`]) rmSync(name, { force: true });
    }
  });

  test('a daemon that moves its socket to its place when it is ready: allowed where both names are', async () => {
    const top = makeDirectory();
    const [place, beside] = [join(top, 'run'), join(top, 'beside')];
    mkdirSync(place);
    const daemon = await openDaemon(join(place, 'new'));
    renameSync(join(place, 'new'), join(place, 'daemon'));
    await expectSteps(user, network({ allow: [], allow_unix: [`${place}/`] }), [
      STREAM,
      [`connect a ${place}/daemon`, '0'],
    ]);
    renameSync(join(place, 'daemon'), beside);
    await expectSteps(user, network({ allow: [], allow_unix: [`${place}/`] }), [
      STREAM,
      [`connect a ${beside}`, '0', 'EACCES'],
    ]);
    expect(await daemon()).toEqual(['path 3 0', 'abstract 0 0']);
  });

  test('an outside socket that the program links, renames or links over its own: stays outside', async () => {
    // The daemon is the program's own user's, so that protected_hardlinks(5) lets it be linked.
    for (const [move, back] of [
      ['link', 'unlink {}/s'],
      ['rename', 'rename {}/s'],
    ] as const) {
      const path = join(makeDirectory(), 'daemon');
      const daemon = await openDaemon(path, user);
      const undo = move === 'link' ? back : `${back} ${path}`;
      await expectSteps(
        user,
        [],
        [
          STREAM,
          ['bind a {}/s', '0'],
          ['listen a', '0'],
          ['new b 1 1 0', '0'],
          ['connect b {}/s', '0'],
          ['unlink {}/s', '0'],
          [`${move} ${path} {}/s`, '0'],
          ['new b 1 1 0', '0'],
          ['connect b {}/s', '0', 'EACCES'],
          [undo, '0'],
          STREAM,
          ['bind a {}/s', '0'],
          ['listen a', '0'],
          ['rename {}/s {}/t', '0'],
          ['new b 1 1 0', '0'],
          ['connect b {}/t', '0'],
        ],
        { inDirectory: true },
      );
      expect(await daemon()).toEqual(['path 1 0', 'abstract 0 0']);
    }
  });

  test('a bind raced against a link to an outside socket: the outside socket is never reached', async () => {
    const path = join(makeDirectory(), 'daemon');
    const counted = async (
      policy: string | undefined,
    ): Promise<{ binds: number; links: number; reached: number }> => {
      const daemon = await openDaemon(path, user);
      const command = probe('swap', makeDirectory(), path, policy === undefined ? '1' : '3');
      const outcome = await (policy === undefined
        ? run(user, command)
        : runSandboxed(user, policy, command));
      const [, binds, links] =
        /^binds (\d+)\nlinks (\d+)\nconnections \d+\n$/.exec(outcome.stdout) ?? [];
      const [, reached] = /^path (\d+) 0/.exec((await daemon())[0] ?? '') ?? [];
      return { binds: Number(binds), links: Number(links), reached: Number(reached) };
    };
    const bare = await counted(undefined);
    expect(bare.reached).toBeGreaterThan(10);
    const walled = await counted(network({ allow: [] }));
    expect(walled.reached).toBe(0);
    expect(walled.binds).toBeGreaterThan(100);
    expect(walled.links).toBeGreaterThan(1000);
  });

  test('sockets of its own, by path, relative path, abstract name and none: work, and show the name they were given', async () => {
    const name = `@sandlock-${user.name}-own`;
    await expectSteps(
      user,
      network({ allow: [], allow_families: ['unix', 'unix/dgram'] }),
      [
        ['chdir {}', '0'],
        STREAM,
        ['bind a ./own', '0'],
        ['name a', './own'],
        ['listen a', '0'],
        ['new b 1 1 0', '0'],
        ['connect b {}/own', '0'],
        ['send b', '5'],
        ['serve a', '5'],
        ['new b 1 5 0', '0'],
        [`bind b ${name}`, '0'],
        ['name b', name],
        ['listen b', '0'],
        ['new c 1 5 0', '0'],
        [`connect c ${name}`, '0'],
        DATAGRAM,
        ['bind d {}/datagrams', '0'],
        ['new e 1 2 0', '0'],
        ['bind e auto', '0'],
        ['sendto e {}/datagrams', '5'],
        ['recv d', '5'],
        ['bind e {}/datagrams', 'EADDRINUSE'],
        ['bind d {}/again', 'EINVAL'],
        ['new f 1 1 0', '0'],
        ['bind f {}/datagrams', 'EADDRINUSE'],
        ['bind f {}/none/s', 'ENOENT'],
        ['connect f {}/datagrams', 'EPROTOTYPE'],
        ['unlink {}/own', '0'],
        ['connect f {}/own', 'ENOENT'],
      ],
      { inDirectory: true },
    );
  });
});

// Only root makes mounts.
const MOUNTED = [
  // Shows another device than the kernel tells of a socket's file.
  [
    'overlayfs',
    `mkdir lower upper && mount -t tmpfs none lower && mount -t tmpfs none upper && mkdir upper/u upper/w &&
     mount -t overlay -o xino=off,lowerdir=lower,upperdir=upper/u,workdir=upper/w none all`,
    /^\d{4}-/,
  ],
  // Its files have no birth.
  ['ramfs', 'mount -t ramfs none all', /^-$/],
] as const;

describe.each(users.filter(({ uid }) => uid === 0))('as $name', (user) => {
  test.each(MOUNTED)('on %s sockets of its own are reached by path', async (_, mount, birth) => {
    const steps = ['new a 1 1 0', 'bind a {}', 'listen a', 'new b 1 1 0', 'connect b {}'];
    const tried = async (wall: (command: string[]) => string[]) => {
      const top = makeDirectory();
      const own = steps.map((step) => step.replace('{}', join(top, 'all/own')));
      const mounted = `cd ${top} && mkdir all && ${mount} && "$@" && stat -c %w all/own`;
      const command = ['unshare', '-m', 'sh', '-c', mounted, '', ...wall(probe('steps', ...own))];
      const { stdout, stderr } = await run(user, command);
      return lines(stdout.replaceAll(top, '') + stderr);
    };
    const works = steps.map((step) => `${step.replace('{}', '/all/own')} = 0`);
    const expected = [...works, expect.stringMatching(birth)];
    expect(await tried((command) => command)).toEqual(expected);
    expect(await tried((command) => sandlock(network({ allow: [] }), command))).toEqual(expected);
  });
});
