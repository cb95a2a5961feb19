import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('../../..', import.meta.url));
const PARTS = ['src', 'workers', 'schemas', 'load-tests', '.config', 'package.json', 'tsconfig.json'];
const FACTS = 'schemas/channel-facts.ts';
const END_OF_FACTS = '} as const satisfies Readonly<Record<string, ChannelFacts>>;';

export interface Tree {
  readonly path: string;
  /** Replaces a text of a file, which must hold it. @returns what undoes it */
  edit(file: string, from: string, to: string): () => void;
  remove(): void;
}

/** A copy of this checkout with the channel `pager`: its folder, and its one entry among the facts. */
export function treeWithFourthChannel(): Tree {
  const path = mkdtempSync(join(tmpdir(), 'muster-fourth-'));
  for (const part of PARTS) cpSync(join(HERE, part), join(path, part), { recursive: true, filter: (source) => !source.endsWith('load-tests/results') });
  symlinkSync(join(HERE, 'node_modules'), join(path, 'node_modules'));
  const edit = (name: string, from: string, to: string): (() => void) => {
    const file = join(path, name);
    const text = readFileSync(file, 'utf8');
    if (!text.includes(from)) throw new Error(`${name} does not hold: ${from}`);
    writeFileSync(file, text.split(from).join(to));
    return () => writeFileSync(file, text);
  };
  cpSync(join(HERE, 'src/testing/fourth-channel/pager'), join(path, 'src/channels/pager'), { recursive: true });
  edit(FACTS, END_OF_FACTS, readFileSync(join(HERE, 'src/testing/fourth-channel/entry.txt'), 'utf8') + END_OF_FACTS);
  return { path, edit, remove: () => rmSync(path, { recursive: true, force: true }) };
}
