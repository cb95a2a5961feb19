import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';

export interface MigrationFile {
  /** `0001_foundation.sql`: four digits give the order. */
  readonly name: string;
  readonly text: string;
  /** The hash of the text, in hex. */
  readonly sha256: string;
  /** sha256 of every text of this file that was ever published; each leaves the same database. */
  readonly known: readonly string[];
  /** It says of itself that it runs outside a transaction. */
  readonly outside: boolean;
}

/** The migrations of this version. */
export const MIGRATIONS = new URL('../../../schemas/migrations/', import.meta.url);

/**
 * Earlier texts of a file that leave the very same database, so that one that was made by them goes on. What is published
 * does not change: this is for a text that a supported server cannot read, and for nothing else.
 */
const SAME_RESULT: Readonly<Record<string, readonly string[]>> = {
  '0001_foundation.sql': [
    // It named the storage of batches.ids inside CREATE TABLE, which PostgreSQL 15 cannot read; now ALTER TABLE sets it.
    '5f7357883349d72eaea1d1377ccba635470a26cc30500d1b0757dda89bc0eca1',
  ],
};

const OUTSIDE = /^-- outside a transaction$/m;

/** The lines of comment with which a migration begins; '' where it begins with a statement. */
export const firstComment = (text: string): string => /^(--.*\n)*/.exec(text)?.[0] ?? '';

/** Reads the numbered files of a folder in their order. */
export async function readMigrations(folder: URL): Promise<MigrationFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.sql')).sort();
  return Promise.all(
    names.map(async (name) => {
      const text = await readFile(new URL(name, folder), 'utf8');
      const sha256 = createHash('sha256').update(text).digest('hex');
      return { name, text, sha256, known: [sha256, ...(SAME_RESULT[name] ?? [])], outside: OUTSIDE.test(firstComment(text)) };
    }),
  );
}
