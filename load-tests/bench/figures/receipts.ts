import { createHmac } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Pool } from 'undici';
import { type Bench, startMuster } from '#bench/bench.ts';
import { draft, type FanOut, fanOut } from '#bench/fan-out.ts';
import { closedLoop, type LoadRequest } from '#bench/load.ts';
import { seedPeople, SENDERS } from '#bench/people.ts';
import { median, round } from '#bench/statistics.ts';
import type { System, Tenant } from '#bench/system.ts';
import { packRef } from '#domain/delivery/refs.ts';
import type { MessageView } from '#schemas/views.ts';

export interface ReceiptsResult {
  readonly sends: number;
  /** Signed callbacks a second, each answered after its commit, with nothing else going on. */
  readonly perSecond: number | null;
  readonly fanOutPerSecond: number | null;
  readonly fanOutWithReceiptsPerSecond: number | null;
  /** 1 - with / without. */
  readonly slowdown: number | null;
  /** Receipts that were committed while the fan-out ran, for each send; the aim is 2. */
  readonly perSend: number | null;
}

const LANES = 64;
/** Of the two receipts a send: the last people's come after the fan-out. */
const ENOUGH = 1.7;

/** Receipts alone, then two for each send while the fan-out runs. */
export async function receipts(bench: Bench): Promise<ReceiptsResult> {
  const sends = bench.sizes.receipts;
  const system = await startMuster(bench);
  const pool = new Pool(system.api, { connections: LANES });
  try {
    const tenant = await system.addTenant([SENDERS.sms]);
    await seedPeople(system, tenant, { count: sends, channel: 'sms' });
    const { rows } = await system.sql.query<{ id: string }>('SELECT id FROM recipients WHERE tenant_id = $1 ORDER BY id', [tenant.id]);
    const people = rows.map((row) => row.id);
    await fanOut(system, tenant, draft({ channel: 'sms' }), sends);
    const plain: FanOut[] = [];
    const alone: number[] = [];
    const accompanied: { perSecond: number; perSend: number }[] = [];
    for (let turn = 0; turn < bench.sizes.rounds; turn++) {
      bench.checkTime();
      const run = await fanOut(system, tenant, draft({ channel: 'sms' }), sends);
      plain.push(run);
      alone.push(await deliverAll(system, pool, run.id, people));
      accompanied.push(await withReceipts(system, pool, tenant, people));
      bench.say(
        `receipts: ${Math.round(alone.at(-1) ?? 0)}/s alone; fan-out ${Math.round(run.perSecond)}/s without, ${Math.round(accompanied.at(-1)?.perSecond ?? 0)}/s with`,
      );
    }
    const without = median(plain.map((run) => run.perSecond));
    const beside = median(accompanied.map((run) => run.perSecond));
    const perSend = median(accompanied.map((run) => run.perSend));
    if (perSend < ENOUGH) bench.note(`receipts: only ${perSend.toFixed(2)} a send kept up with the fan-out, so its slowdown is understated`);
    return {
      sends,
      perSecond: round(median(alone)),
      fanOutPerSecond: round(without),
      fanOutWithReceiptsPerSecond: round(beside),
      slowdown: round(1 - beside / without),
      perSend: round(perSend),
    };
  } finally {
    await pool.destroy();
    await system.close();
  }
}

/** As Twilio signs: the address, then each field's name and value in the order of names, HMAC-SHA1. */
function receipt(system: System, messageId: string, recipientId: string, status: 'sent' | 'delivered'): LoadRequest {
  const ref = system.tokens.seal('receipt', packRef({ messageId, recipientId, channel: 'sms', wave: 0 }));
  const fields = { AccountSid: system.accountSid, MessageSid: `SM${recipientId.padStart(32, '0')}`, MessageStatus: status, SmsStatus: status };
  const path = `/hooks/twilio/status/${ref}`;
  const signed = Object.entries(fields).reduce((text, [name, value]) => text + name + value, system.api + path);
  const signature = createHmac('sha1', system.authToken).update(signed).digest('base64');
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'x-twilio-signature': signature };
  return { method: 'POST', path, headers, body: new URLSearchParams(fields).toString() };
}

async function deliverAll(system: System, pool: Pool, id: string, people: readonly string[]): Promise<number> {
  const messageId = system.ids.decode('msg', id) ?? '';
  const requests = people.map((person) => receipt(system, messageId, person, 'delivered'));
  const result = await closedLoop(pool, requests, LANES);
  const { rows } = await system.sql.query<{ n: number }>(`SELECT count(*)::int AS n FROM deliveries WHERE message_id = $1 AND state = 'delivered'`, [
    messageId,
  ]);
  if (result.refused > 0 || rows[0]?.n !== people.length) throw new Error(`${people.length} receipts, ${result.refused} refused, ${rows[0]?.n} rows delivered`);
  return result.perSecond;
}

/** People whose rows are written are told to be sent, then delivered; the front of a message is a few batches wide. */
const BEHIND = 1_500;

async function withReceipts(system: System, pool: Pool, tenant: Tenant, people: readonly string[]): Promise<{ perSecond: number; perSend: number }> {
  const postedAt = performance.timeOrigin + performance.now();
  const { id } = await system.call<{ id: string }>(tenant, 'POST', '/v1/messages', draft({ channel: 'sms' }));
  const messageId = system.ids.decode('msg', id) ?? '';
  let told = 0;
  let committed = 0;
  let view: MessageView;
  const until = performance.now() + 60_000 + people.length * 3.3;
  for (;;) {
    view = await system.call<MessageView>(tenant, 'GET', `/v1/messages/${id}`);
    if (view.state === 'completed') break;
    if (performance.now() > until) throw new Error('the fan-out with receipts did not end');
    const done = view.deliveries.accepted + view.deliveries.delivered;
    const front = Math.max(0, done - Math.min(BEHIND, people.length / 4));
    const due = people.slice(told, Math.min(front, told + 1_000));
    told += due.length;
    if (due.length === 0) await delay(5);
    const requests = due.flatMap((person) => [receipt(system, messageId, person, 'sent'), receipt(system, messageId, person, 'delivered')]);
    const result = await closedLoop(pool, requests, LANES);
    if (result.refused > 0) throw new Error(`${result.refused} receipts were refused during the fan-out`);
    committed += requests.length;
  }
  const ms = Date.parse(view.times.completedAt ?? '') - postedAt;
  return { perSecond: (people.length / ms) * 1000, perSend: committed / people.length };
}
