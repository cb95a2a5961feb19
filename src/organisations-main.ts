import { text } from 'node:stream/consumers';
import { askSecret } from '#platform/ask-secret.ts';
import { processEnvironment } from '#platform/config.ts';
import { runOrganisations } from '#organisations/command.ts';

const terminal = { input: process.stdin, output: process.stderr, interrupted: () => process.exit(130) };

// `npm run organisations`: makes and lists organisations, people, operators and senders. Needs DATABASE_URL alone, or `npm run up` beside it.
process.exitCode = await runOrganisations(process.argv.slice(2), {
  env: processEnvironment(),
  out: (words) => process.stdout.write(words),
  err: (words) => process.stderr.write(words),
  readStdin: () => text(process.stdin),
  askSecret: (question) => (process.stdin.isTTY ? askSecret(terminal, question) : Promise.resolve(undefined)),
});
