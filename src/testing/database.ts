import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';

export interface TestDatabase {
  /** Owner's URL of a fresh clone of the migrated template. */
  readonly url: string;
  drop(): Promise<void>;
}

async function asOwner(sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: inject('ownerUrl') });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

const named = (): { name: string; database: TestDatabase } => {
  const name = `t_${randomUUID().replaceAll('-', '')}`;
  const url = new URL(inject('ownerUrl'));
  url.pathname = `/${name}`;
  return { name, database: { url: url.href, drop: () => asOwner(`DROP DATABASE ${name} WITH (FORCE)`) } };
};

/** A database in which nothing was made yet. */
export async function createEmptyDatabase(): Promise<TestDatabase> {
  const { name, database } = named();
  await asOwner(`CREATE DATABASE ${name}`);
  return database;
}

/** A database of its own for one test file: a clone of the template (50-100 ms), or of another that nobody is connected to. */
export async function createTestDatabase(template = 'muster_template'): Promise<TestDatabase> {
  const { name, database } = named();
  // Two clones at once of one template collide, so they take turns.
  await asOwner(`SELECT 1`);
  for (let tries = 0; ; tries++) {
    try {
      await asOwner(`CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY file_copy`);
      break;
    } catch (error) {
      if (tries > 100 || (error as { code?: string }).code !== '55006') throw error;
    }
  }
  return database;
}
