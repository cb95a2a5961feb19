import { sql } from 'kysely';
import type { Tx } from '#db/database.ts';
import { hashApiKey, newApiKey } from '#platform/api-key.ts';
import { hashPassword } from '#platform/password.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { Channel } from '#schemas/delivery.ts';
import { appendAudits } from '#services/audit.ts';
import { type Deps, hostActor, type Scope } from '#services/context.ts';

export interface NewSender {
  channel: Channel;
  name: string;
  address: string;
  classes?: MessageClass[];
  drill?: boolean;
  /** The provider behind it is the simulator. */
  simulated?: boolean;
  /** Which of the channel's provider accounts: 1 unless told. */
  account?: number;
  unitsPerSecond?: number | null;
}

export interface NewTenant {
  name: string;
  locale?: string;
  country?: string;
  /** An IANA name. */
  timeZone?: string;
  policy?: Record<string, unknown>;
  admin: { email: string; name: string; password: string };
  /** Its administrator and first key may stop and release the whole installation. */
  operator?: boolean;
  keyMode: 'live' | 'test';
  senders: NewSender[];
}

export interface MadeTenant {
  tenantId: number;
  /** It is shown once, since only its hash is kept. */
  apiKey: string;
  userId: string;
}

/** A first key may do everything within its tenant. */
export const ALL_SCOPES: Scope[] = ['read', 'write', 'send:life', 'send:ops', 'send:bulk', 'admin'];
/** The people who run the installation may also stop and release all of it. */
export const OPERATOR_SCOPES: Scope[] = [...ALL_SCOPES, 'operator'];

/** Makes a tenant with its first administrator, senders and an API key, or nothing at all. */
export async function createTenant(deps: Pick<Deps, 'db'>, input: NewTenant): Promise<MadeTenant> {
  const passwordHash = await hashPassword(input.admin.password);
  const apiKey = newApiKey(input.keyMode);
  const { locale = 'en', country = 'US' } = input;
  // There is no tenant yet: the transaction begins without one and goes on within the one it has made.
  return deps.db.across.transaction().execute(async (tx) => {
    const { rows } = await sql<{ id: number }>`SELECT create_tenant(${input.name}, ${locale}, ${country}) AS id`.execute(tx);
    const tenantId = rows[0]?.id;
    if (tenantId === undefined) throw new Error('create_tenant returned nothing');
    await sql`SELECT set_config('app.tenant', ${String(tenantId)}, true)`.execute(tx);
    await tx
      .updateTable('tenants')
      .set({ policy: JSON.stringify(input.policy ?? {}), time_zone: input.timeZone ?? null })
      .where('tenant_id', '=', tenantId)
      .execute();
    const userId = await firstPerson(tx, tenantId, input, passwordHash);
    const keyId = await firstKey(tx, tenantId, input, userId, apiKey);
    for (const sender of input.senders) await insertSender(tx, tenantId, sender);
    const made = { admin: userId, operator: input.operator ?? false, senders: input.senders.length };
    await appendAudits(tx, { tenantId, actor: hostActor }, [
      { action: 'tenant.create', object: String(tenantId), detail: made },
      { action: 'key.create', object: keyId, detail: { mode: input.keyMode, scopes: scopesOf(input) } },
    ]);
    return { tenantId, apiKey, userId };
  });
}

const scopesOf = (input: NewTenant): Scope[] => (input.operator ? OPERATOR_SCOPES : ALL_SCOPES);

async function firstPerson(tx: Tx, tenantId: number, { admin, operator }: NewTenant, passwordHash: string): Promise<string> {
  const { email, name } = admin;
  const { id } = await tx
    .insertInto('users')
    .values({ tenant_id: tenantId, email, name, password_hash: passwordHash, role: 'admin', operator: operator ?? false })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

async function firstKey(tx: Tx, tenantId: number, input: NewTenant, userId: string, apiKey: string): Promise<string> {
  const { id } = await tx
    .insertInto('api_keys')
    .values({
      tenant_id: tenantId,
      name: 'first key',
      key_hash: hashApiKey(apiKey),
      mode: input.keyMode,
      scopes: scopesOf(input),
      user_id: userId,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}

/** @returns the sender's id within the database */
export async function insertSender(tx: Tx, tenantId: number, sender: NewSender): Promise<number> {
  const { id } = await tx
    .insertInto('senders')
    .values({
      tenant_id: tenantId,
      channel: sender.channel,
      name: sender.name,
      address: sender.address,
      classes: sql`${sender.classes ?? ['life', 'ops', 'bulk']}::message_class[]`,
      drill: sender.drill ?? false,
      simulated: sender.simulated ?? false,
      account: sender.account ?? 1,
      units_per_second: sender.unitsPerSecond ?? null,
    })
    .returning('id')
    .executeTakeFirstOrThrow();
  return id;
}
