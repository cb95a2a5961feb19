import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { inject } from 'vitest';
import { withClient } from './with-client.ts';

export interface TestDatabase {
  /** Owner's URL of a fresh clone of the migrated template. */
  readonly url: string;
  drop(): Promise<unknown>;
}

const asOwner = (sql: string): Promise<unknown> => withClient(inject('ownerUrl'), (client) => client.query(sql));

/** The same with a connection of its owner, for tests of the database itself; `drop` closes it first. */
export async function openTestDatabase(): Promise<TestDatabase & { readonly owner: pg.Client }> {
  const { url, drop } = await createTestDatabase();
  const owner = new pg.Client({ connectionString: url });
  await owner.connect();
  return {
    url,
    owner,
    drop: async () => {
      await owner.end();
      await drop();
    },
  };
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
  // Two clones of one template at once collide, so a clone that fails is tried again.
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
