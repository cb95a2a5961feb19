import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

test('a process ends although nobody reads its log any more', async () => {
  const log = new URL('./log.ts', import.meta.url).href;
  const script = `import { createLog } from '${log}';
    const log = createLog('test', 'info');
    log.info('first');
    process.stdin.once('end', () => { log.info('ending'); log.info('ended'); process.exit(0); }).resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'pipe', 'ignore'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  expect(JSON.parse(line.toString())).toMatchObject({ process: 'test', msg: 'first' });
  child.stdout.destroy();
  await once(child.stdout, 'close');
  const ended = once(child, 'exit');
  child.stdin.end();
  try {
    expect(await ended).toEqual([0, null]);
  } finally {
    child.kill('SIGKILL');
  }
});

test('what is said in the turn in which a process ends is written, in its order', async () => {
  const log = new URL('./log.ts', import.meta.url).href;
  const script = `import { createLog, unredacted } from '${log}';
    const log = createLog('test', 'info');
    log.info({ token: 'secret' }, 'first');
    unredacted(log).info('second');
    process.on('uncaughtExceptionMonitor', () => log.error('third'));
    throw new Error('the end');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(child, 'close');
  const lines = Buffer.concat(chunks).toString().trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { msg: string }).msg)).toEqual(['first', 'second', 'third']);
  expect(lines[0]).toContain('"token":"[redacted]"');
});
