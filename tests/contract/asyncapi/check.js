// Prints what the reference parser says of each document named on the command line: its channels, and every diagnostic.
import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';

const parser = new Parser();
const told = [];
for (const path of process.argv.slice(2)) {
  const { document, diagnostics } = await parser.parse(readFileSync(path, 'utf8'));
  told.push({
    channels: document?.channels().all().map((each) => each.address()) ?? [],
    operations: document?.operations().all().length ?? 0,
    diagnostics: diagnostics.map(({ severity, code, message, path }) => ({ severity, code, message, path })),
  });
}
process.stdout.write(JSON.stringify(told));
