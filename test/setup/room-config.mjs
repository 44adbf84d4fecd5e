// vitest for a room of its own (room.mjs): the folder is given by `--root`, so the projects of the repository's own
// configuration do not come in. Tests of one file may run at the same time; files do not.

export default {
  test: {
    pool: 'forks',
    fileParallelism: false,
    maxConcurrency: 4,
    testTimeout: 90_000,
    hookTimeout: 60_000,
  },
};
