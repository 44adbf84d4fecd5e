/**
 * How a suite of test/setup/run-plain.mjs is run: one file after another, because they share a
 * browser, or ports that documents name.
 */
import { defineConfig } from 'vitest/config';

/** The configuration for the tests in a folder. */
export function plainConfig(folder) {
  return defineConfig({
    test: {
      root: folder,
      include: ['*.test.ts'],
      pool: 'forks',
      fileParallelism: false,
      testTimeout: 60_000,
      hookTimeout: 60_000,
    },
  });
}
