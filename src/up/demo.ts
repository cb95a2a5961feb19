import { sql } from 'kysely';
import { type Database, openDatabase, type Tx } from '#db/database.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import { hashApiKey, newApiKey } from '#platform/api-key.ts';
import type { Log } from '#platform/log.ts';
import { createTenant, type NewSender, OPERATOR_SCOPES } from '#services/organisations/create-tenant.ts';
import type { UpSecrets } from './secrets.ts';

/** People of the demo tenant; every third has a browser that takes push, all have a phone or mail. */
const PEOPLE = 300;
const TAGS = ['north', 'south', 'harbour', 'old-town'];
const SKILLS = ['boat', 'medic', 'driver', 'radio'];
const LOCALES = ['en', 'en', 'en', 'de', 'fr', 'es'];

type Subscriptions = (count: number) => Promise<{ endpoint: string; keys: { p256dh: string; auth: string } }[]>;

/**
 * The demo tenant: an administrator, an API key that may do everything, senders on the simulator (live and drill), and
 * people who do not exist, on numbers kept for fiction (+1 NXX 555 01XX) and a reserved mail domain (RFC 2606).
 * The two-person rule is off, so that one person can try everything. A first start that was cut off goes on here.
 */
export async function createDemo(databaseUrl: string, secrets: UpSecrets, log: Log, subscriptions: Subscriptions): Promise<UpSecrets> {
  const db = openDatabase({ url: databaseUrl, role: 'muster_api', max: 2, name: 'muster-demo', log });
  try {
    const { rows } = await sql<{ tenant_id: number; id: string }>`SELECT tenant_id, id FROM find_user(${secrets.consoleEmail})`.execute(db.across);
    const known = rows[0];
    const { tenantId, apiKey } = known ? { tenantId: known.tenant_id, apiKey: await freshKey(db, known.tenant_id, known.id) } : await demoTenant(db, secrets);
    const pushes = await subscriptions(Math.floor(PEOPLE / 3));
    await db.withTenant(tenantId, (tx) => demoPeople(tx, tenantId, pushes));
    return { ...secrets, tenantId, apiKey };
  } finally {
    await db.close();
  }
}

/** Keys are kept as hashes alone, so one that was lost is replaced. */
async function freshKey(db: Database, tenantId: number, userId: string): Promise<string> {
  const key = newApiKey('test');
  await db.withTenant(tenantId, (tx) =>
    tx
      .insertInto('api_keys')
      .values({ tenant_id: tenantId, name: 'demo key', key_hash: hashApiKey(key), mode: 'test', scopes: OPERATOR_SCOPES, user_id: userId })
      .execute(),
  );
  return key;
}

const demoTenant = (db: Database, secrets: UpSecrets) =>
  createTenant(
    { db },
    {
      name: 'Harbour District Response',
      // What to do is another thing each time: a life message must still say it.
      policy: { ...OPEN_POLICY, says: { who: 'Everybody in the district', where: 'Harbour District' } },
      timeZone: new Intl.DateTimeFormat().resolvedOptions().timeZone,
      admin: { email: secrets.consoleEmail, name: 'Administrator', password: secrets.consolePassword },
      // Whoever started it runs the installation too.
      operator: true,
      keyMode: 'test',
      senders: [false, true].flatMap((drill): NewSender[] => [
        { channel: 'sms', name: drill ? 'SMS, drills' : 'SMS', address: drill ? '+12025550199' : '+12025550100', drill, simulated: true },
        {
          channel: 'email',
          name: drill ? 'Mail, drills' : 'Mail',
          address: drill ? 'Harbour District drills <drill@muster.example>' : 'Harbour District <alerts@muster.example>',
          drill,
          simulated: true,
        },
        {
          channel: 'sms',
          name: drill ? 'SMS, second account, drills' : 'SMS, second account',
          address: drill ? '+12025550198' : '+12025550101',
          drill,
          simulated: true,
          account: 2,
        },
        {
          channel: 'email',
          name: drill ? 'Mail, second relay, drills' : 'Mail, second relay',
          address: drill ? 'Harbour District drills <drill@muster.example>' : 'Harbour District <alerts@muster.example>',
          drill,
          simulated: true,
          account: 2,
        },
        { channel: 'push', name: drill ? 'Push, drills' : 'Push', address: '', drill, simulated: true },
      ]),
    },
  );

async function demoPeople(tx: Tx, tenantId: number, pushes: Awaited<ReturnType<Subscriptions>>): Promise<void> {
  const there = await tx.selectFrom('recipients').select('id').where('tenant_id', '=', tenantId).limit(1).executeTakeFirst();
  if (there) return;
  await sql`
    INSERT INTO recipients (tenant_id, external_id, name, phone, email, locale, time_zone, lat, lon, tags, skills, consent, push_count)
    SELECT ${tenantId}, 'demo-' || n, 'Volunteer ' || n,
      CASE WHEN n % 10 <> 7 THEN '+1' || (ARRAY['212','305','312','404','415','503','617','702','808','907'])[1 + n / 100] || '55501' || lpad((n % 100)::text, 2, '0') END,
      CASE WHEN n % 10 <> 3 THEN 'volunteer-' || n || '@muster.example' END,
      (${LOCALES}::text[])[1 + n % 6], 'America/New_York', 40.68 + (n * 37 % 100) / 1000.0, -74.04 + (n * 53 % 100) / 1000.0,
      ARRAY[(${TAGS}::text[])[1 + n % 4]], CASE WHEN n % 3 = 0 THEN ARRAY[(${SKILLS}::text[])[1 + n / 3 % 4]] ELSE '{}' END,
      CASE WHEN n % 12 = 5 THEN '{life,ops}' ELSE '{life,ops,bulk}' END::message_class[], CASE WHEN n % 3 = 0 THEN 1 ELSE 0 END
    FROM generate_series(1, ${PEOPLE}::int) n`.execute(tx);
  await sql`
    INSERT INTO push_subscriptions (tenant_id, recipient_id, endpoint, p256dh, auth)
    SELECT ${tenantId}, r.id, s.endpoint, s.p256dh, s.auth
    FROM unnest(${pushes.map((p) => p.endpoint)}::text[], ${pushes.map((p) => p.keys.p256dh)}::text[], ${pushes.map((p) => p.keys.auth)}::text[]) WITH ORDINALITY s(endpoint, p256dh, auth, i)
    JOIN recipients r ON r.tenant_id = ${tenantId} AND r.external_id = 'demo-' || (s.i * 3)`.execute(tx);
}
