/**
 * The hostile programs' own project: it is started by run.mjs alone, which gives it its namespaces.
 * Files run one after another, because there is one network with one set of ports.
 */
import { defineConfig, type ViteUserConfig } from 'vitest/config';

const config: ViteUserConfig = defineConfig({
  test: {
    name: 'hostile',
    include: ['test/hostile/**/*.test.ts'],
    pool: 'forks',
    fileParallelism: false,
    testTimeout: 60_000 + 4000 * Number(process.env.SANDLOCK_HOSTILE_SECONDS ?? 0),
    hookTimeout: 30_000,
  },
});

// biome-ignore lint/style/noDefaultExport: vitest reads its configuration so
export default config;
