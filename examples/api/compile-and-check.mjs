// A policy becomes a table; the table answers what it decides, by which rule, and what would change that.
import { check, compile, formatDiagnostics, PolicyError } from 'sandlock';

const { table, diagnostics, summary } = await compile(`
[network]
allow = ["10.0.0.0/8:443", "udp://192.0.2.53:53"]
`);
console.log(summary.rules, 'rules,', diagnostics.length, 'warnings');

for (const destination of ['10.1.2.3:443', '10.1.2.3:80']) {
  const [verdict] = check(table, destination);
  console.log(destination, verdict.verdict, verdict.rules[0]?.line ?? verdict.suggestion.rule);
}

// Mistakes are one error with all of them; rules may also stand by themselves.
try {
  await compile({ allow: ['example.com', '10.0.0.1/8:1'] });
} catch (error) {
  if (!(error instanceof PolicyError)) throw error;
  console.log(error.code, error.diagnostics.map(({ code }) => code).join(' '));
  console.log(formatDiagnostics(error.diagnostics).split('\n')[0]);
}
