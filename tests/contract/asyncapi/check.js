// Prints what the reference parser says of the document named on the command line: its channels, operations, messages,
// and every diagnostic.
import { readFileSync } from 'node:fs';
import { Parser } from '@asyncapi/parser';

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], 'utf8'));
process.stdout.write(
  JSON.stringify({
    channels: document?.channels().all().map((each) => each.address()) ?? [],
    operations: document?.operations().all().length ?? 0,
    messages: document?.components().schemas().all().length ?? 0,
    diagnostics: diagnostics.map(({ severity, code, message, path }) => ({ severity, code, message, path })),
  }),
);
