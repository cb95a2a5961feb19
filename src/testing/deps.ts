import { openDatabase } from '#db/database.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import { progressHub } from '#http/progress-hub.ts';
import { systemClock } from '#platform/clock.ts';
import { readConfig } from '#platform/config.ts';
import { createLog } from '#platform/log.ts';
import { PublicIds, Tokens } from '#platform/tokens.ts';
import { type Context, type Deps, type Nudger, systemActor } from '#services/context.ts';
import { createTenant, type NewTenant } from '#services/organisations/create-tenant.ts';
import type { JobName, Jobs } from '#schemas/jobs.ts';
import { createTestDatabase, type TestDatabase } from './database.ts';
import { PASSWORD, TEST_SECRET_KEYS } from './secrets.ts';

export interface SentNudge {
  name: JobName;
  data: Jobs[JobName];
}

export interface TestDeps extends Deps {
  /** The nudges that verbs sent. A nudge is only a hint, so a test may do the work itself. */
  readonly nudges: SentNudge[];
  readonly databaseUrl: string;
  /** A context of this tenant, acting as the system unless told. */
  as(tenantId: number, actor?: Context['actor']): Context;
  /**
   * A tenant with the usual senders (SMS +15550001001, mail, push), live and drill.
   * @returns with its administrator's key and address
   */
  tenant(change?: Partial<NewTenant>): Promise<{ tenantId: number; apiKey: string; userId: string; email: string }>;
  /** Ends streams of progress that an app over these dependencies opened, the connections, and the database. */
  close(): Promise<void>;
}

/** Dependencies on a fresh real database, or on one that is given away to it; its queue only records what it is told. */
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
    tenant: async (change) => {
      tenants += 1;
      const admin = change?.admin ?? { email: `admin${tenants}@example.test`, name: 'Admin', password: PASSWORD };
      const made = await createTenant(deps, {
        name: `Tenant ${tenants}`,
        admin,
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
        // The tenant has standing words, so that a life message needs to say only what the test is about.
        policy: { says: OPEN_POLICY.says, ...change?.policy },
      });
      return { ...made, email: admin.email };
    },
    close: async () => {
      await progressHub(deps).close();
      await db.close();
      await database.drop();
    },
  };
}
