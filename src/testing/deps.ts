import { openDatabase } from '#db/database.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import { systemClock } from '#platform/clock.ts';
import { readConfig } from '#platform/config.ts';
import { createLog } from '#platform/log.ts';
import { PublicIds, Tokens } from '#platform/tokens.ts';
import { type Context, type Deps, type Nudger, systemActor } from '#services/context.ts';
import { createTenant, type NewTenant } from '#services/organisations/create-tenant.ts';
import type { JobName, Jobs } from '#schemas/jobs.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';

export interface SentNudge {
  name: JobName;
  data: Jobs[JobName];
}

export interface TestDeps extends Deps {
  /** What verbs nudged; jobs are hints only, so a test may run the work itself. */
  readonly nudges: SentNudge[];
  readonly databaseUrl: string;
  /** A context of this tenant, acting as the system unless told. */
  as(tenantId: number, actor?: Context['actor']): Context;
  /** A tenant with an administrator and the usual senders (SMS +15550001111, mail, push), live and drill. */
  tenant(change?: Partial<NewTenant>): Promise<{ tenantId: number; apiKey: string; userId: string }>;
  close(): Promise<void>;
}

export const TEST_SECRET_KEYS = 'a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';

/** Dependencies on a fresh real database, or on one that is given away to it; the queue is a recorder. */
export async function createTestDeps(
  env: Record<string, string> = {},
  role: 'muster_api' | 'muster_worker' = 'muster_api',
  given?: TestDatabase,
): Promise<TestDeps> {
  const database = given ?? (await createTestDatabase());
  const log = createLog('test', 'silent');
  const config = readConfig({ DATABASE_URL: database.url, SECRET_KEYS: TEST_SECRET_KEYS, LOG_LEVEL: 'silent', ...env });
  const db = openDatabase({ url: database.url, role, max: 8, name: 'test', log });
  const installation = await db.across.selectFrom('installation').select('id_key').executeTakeFirstOrThrow();
  const nudges: SentNudge[] = [];
  const queue: Nudger = {
    nudge: (name, data) => {
      nudges.push({ name, data });
      return Promise.resolve();
    },
  };
  const deps: Deps = { config, log, clock: systemClock, db, queue, tokens: new Tokens(config.secretKeys), ids: new PublicIds(installation.id_key) };
  let tenants = 0;
  return {
    ...deps,
    nudges,
    databaseUrl: database.url,
    as: (tenantId, actor = systemActor) => ({ ...deps, tenantId, actor, requestId: 'test' }),
    tenant: (change) => {
      tenants += 1;
      return createTenant(deps, {
        name: `Tenant ${tenants}`,
        admin: { email: `admin${tenants}@example.test`, name: 'Admin', password: 'correct horse battery staple' },
        keyMode: 'live',
        senders: [
          { channel: 'sms', name: 'SMS', address: `+1555000${String(1000 + tenants)}` },
          { channel: 'email', name: 'Mail', address: 'Muster <muster@example.test>' },
          { channel: 'push', name: 'Push', address: '' },
          { channel: 'sms', name: 'SMS drill', address: `+1555001${String(1000 + tenants)}`, drill: true },
          { channel: 'email', name: 'Mail drill', address: 'Muster drill <drill@example.test>', drill: true },
          { channel: 'push', name: 'Push drill', address: '', drill: true },
        ],
        ...change,
        // Standing words, so that a life message may say as little as the test is about.
        policy: { says: OPEN_POLICY.says, ...change?.policy },
      });
    },
    close: async () => {
      await db.close();
      await database.drop();
    },
  };
}
