import { sql } from 'kysely';
import { hashApiKey, newApiKey } from '#platform/api-key.ts';
import { hashPassword } from '#platform/password.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import type { Channel } from '#schemas/delivery.ts';
import type { Deps, Scope } from './context.ts';

export interface NewSender {
  channel: Channel;
  name: string;
  address: string;
  classes?: MessageClass[];
  drill?: boolean;
  /** The provider behind it is the simulator. */
  simulated?: boolean;
  /** Which of the channel's provider accounts: 1 unless told. */
  account?: 1 | 2;
  unitsPerSecond?: number | null;
}

export interface NewTenant {
  name: string;
  locale?: string;
  country?: string;
  /** IANA. */
  timeZone?: string;
  policy?: Record<string, unknown>;
  admin: { email: string; name: string; password: string };
  /** Its administrator and first key may stop and release the whole installation. */
  operator?: boolean;
  keyMode: 'live' | 'test';
  senders: NewSender[];
}

/** What a first key may do: everything within its tenant. */
export const ALL_SCOPES: Scope[] = ['read', 'write', 'send:life', 'send:ops', 'send:bulk', 'admin'];
/** The same with the whole installation, for whoever runs it. */
export const OPERATOR_SCOPES: Scope[] = [...ALL_SCOPES, 'operator'];

/** Makes a tenant with its first administrator, senders and an API key. The key is shown once: only its hash is kept. */
export async function createTenant(deps: Pick<Deps, 'db'>, input: NewTenant): Promise<{ tenantId: number; apiKey: string; userId: string }> {
  const { rows } = await sql<{ id: number }>`SELECT create_tenant(${input.name}, ${input.locale ?? 'en'}, ${input.country ?? 'US'}) AS id`.execute(
    deps.db.across,
  );
  const tenantId = rows[0]?.id;
  if (tenantId === undefined) throw new Error('create_tenant returned nothing');
  const passwordHash = await hashPassword(input.admin.password);
  const apiKey = newApiKey(input.keyMode);
  const userId = await deps.db.withTenant(tenantId, async (tx) => {
    await tx
      .updateTable('tenants')
      .set({ policy: JSON.stringify(input.policy ?? {}), time_zone: input.timeZone ?? null })
      .where('tenant_id', '=', tenantId)
      .execute();
    const user = await tx
      .insertInto('users')
      .values({
        tenant_id: tenantId,
        email: input.admin.email,
        name: input.admin.name,
        password_hash: passwordHash,
        role: 'admin',
        operator: input.operator ?? false,
      })
      .returning('id')
      .executeTakeFirstOrThrow();
    await tx
      .insertInto('api_keys')
      .values({
        tenant_id: tenantId,
        name: 'first key',
        key_hash: hashApiKey(apiKey),
        mode: input.keyMode,
        scopes: input.operator ? OPERATOR_SCOPES : ALL_SCOPES,
        user_id: user.id,
      })
      .execute();
    for (const sender of input.senders)
      await tx
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
        .execute();
    return user.id;
  });
  return { tenantId, apiKey, userId };
}
