import { plainConfig } from '../setup/plain-config.mjs';

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default plainConfig(import.meta.dirname);
