import { type ChildProcess, spawn, spawnSync } from 'node:child_process';

export const hasRedis = (): boolean => spawnSync('redis-server', ['--version']).status === 0;

/** A Redis that keeps nothing on disk, on loopback. @returns its process once it accepts connections */
export async function startRedisServer(port: number, folder: string, settings: Readonly<Record<string, string>> = {}): Promise<ChildProcess> {
  const all = { port: String(port), bind: '127.0.0.1', dir: folder, save: '', appendonly: 'no', ...settings };
  const child = spawn(
    'redis-server',
    Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]),
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await new Promise<void>((done, fail) => {
    child.stdout.on('data', (chunk: Buffer) => chunk.includes('Ready to accept connections') && done());
    child.once('exit', (code) => fail(new Error(`redis-server ended with code ${code}`)));
  });
  return child;
}
