/**
 * Two projects: `unit` for the rooms, `e2e` for real programs under the real supervisor. e2e is started by
 * test/e2e/run.mjs, which gives it a PID namespace of its own; its files run one after another, because
 * they share ports of the loopback and measure who reached them.
 */
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/{compiler,policy,src,reference}/**/*.test.ts', 'test/scripts/*.test.mjs'],
          globalSetup: ['test/setup/build.ts'],
          testTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/setup/build.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});

export default config;
