import { existsSync, readFileSync } from 'node:fs';
import { XmlDocument, XsdValidator } from 'libxml2-wasm';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { parseCap } from '#render/cap-xml.ts';
import type { MessageView } from '#schemas/views.ts';
import { createTestDeps, type TestDeps } from '#testing/deps.ts';
import { type Context, inTenant, systemActor } from '#services/context.ts';
import { createMessage } from '#services/messages/create-message.ts';
import { exportCap } from './export-cap.ts';
import { importCap } from './import-cap.ts';
import { launchMessage } from '#services/messages/launch-message.ts';

let deps: TestDeps;
let ctx: Context;
beforeAll(async () => {
  deps = await createTestDeps({ PUBLIC_URL: 'https://muster.example' });
  const { tenantId } = await deps.tenant();
  ctx = deps.as(tenantId);
  await inTenant(ctx, (tx) =>
    tx.insertInto('recipients').values({ tenant_id: tenantId, name: 'Ana', phone: '+15550100001', lat: 1.001, lon: 2.001 }).execute(),
  );
});
afterAll(() => deps.close());

let numbers = 0;
const at = (seconds: number): string => `${new Date(deps.clock.now() + seconds * 1000).toISOString().slice(0, 19)}+00:00`;
function alertXml(
  change: { identifier?: string; sent?: string; msgType?: string; references?: string; expires?: string; status?: string } = {},
): string {
  const { identifier = `A-${++numbers}`, sent = at(0), msgType = 'Alert', references, expires = at(3600), status = 'Actual' } = change;
  return `<?xml version="1.0" encoding="UTF-8"?><alert xmlns="urn:oasis:names:tc:emergency:cap:1.2"><identifier>${identifier}</identifier><sender>met@example.test</sender><sent>${sent}</sent>
<status>${status}</status><msgType>${msgType}</msgType><scope>Public</scope>${references ? `<references>${references}</references>` : ''}
<info><language>en</language><category>Met</category><event>Flood</event><urgency>Immediate</urgency><severity>Severe</severity><certainty>Likely</certainty><expires>${expires}</expires>
<headline>Flood warning</headline><description>The dam breaks.</description><instruction>Go uphill.</instruction><area><areaDesc>Valley</areaDesc><circle>1,2 3</circle></area></info></alert>`;
}
const take = (xml: string, as: Context = ctx) => importCap(as, Buffer.from(xml));
const exported = async (message: MessageView) => (await parseCap(Buffer.from(await exportCap(ctx, message.id)))).alert;

describe('importCap', () => {
  it('makes a draft and sends nothing', async () => {
    const { message, created } = await take(alertXml());
    expect(created).toBe(true);
    expect(message).toMatchObject({
      state: 'draft',
      class: 'life',
      drill: false,
      kind: 'original',
      followsId: null,
      title: 'Flood warning',
      text: { en: 'Flood warning\nThe dam breaks.\nGo uphill.' },
      audience: { expression: { near: { lat: 1, lon: 2, km: 3 } }, count: 1 },
    });
    expect(deps.nudges).toEqual([]);
  });

  it('gives the same draft for the same alert, once and at once', async () => {
    const xml = alertXml();
    const results = await Promise.all(Array.from({ length: 8 }, () => take(xml)));
    expect(new Set(results.map((result) => result.message.id)).size).toBe(1);
    expect(results.filter((result) => result.created)).toHaveLength(1);
    expect((await take(xml)).created).toBe(false);
    const other = await take(alertXml({ identifier: 'A-1', sent: at(60) }));
    expect(other.created).toBe(true);
  });

  it('keeps tenants apart', async () => {
    const xml = alertXml();
    const { tenantId } = await deps.tenant();
    const here = await take(xml);
    const there = await take(xml, deps.as(tenantId));
    expect(there.created).toBe(true);
    expect(there.message.id).not.toBe(here.message.id);
  });

  it('keeps a stale alert as a draft that cannot be launched', async () => {
    const { message } = await take(alertXml({ sent: '2024-05-01T10:00:00+00:00', expires: '2024-05-01T12:00:00+00:00' }));
    expect(message.times.expiresAt).toBe('2024-05-01T12:00:00.000Z');
    await expect(launchMessage(ctx, message.id)).rejects.toMatchObject({ status: 422, code: 'expired' });
  });

  it('knows the message that an update is about, launched or not', async () => {
    const sent = at(-60);
    const first = await take(alertXml({ identifier: 'U-1', sent }));
    const references = `met@example.test,U-0,${at(-90)} met@example.test,U-1,${sent}`;
    const early = await take(alertXml({ msgType: 'Update', references }));
    expect(early.message).toMatchObject({ followsId: first.message.id, kind: 'original' });
    await launchMessage(ctx, first.message.id);
    expect((await take(alertXml({ msgType: 'Update', references }))).message).toMatchObject({
      followsId: first.message.id,
      kind: 'correction',
    });
    const cancel = await take(alertXml({ msgType: 'Cancel', references }));
    expect(cancel.message).toMatchObject({ followsId: first.message.id, kind: 'all_clear' });
    expect(
      (await take(alertXml({ msgType: 'Cancel', references: 'met@example.test,never,2026-01-01T00:00:00+00:00' }))).message.followsId,
    ).toBeNull();
    const original = await exported(first.message);
    expect(await exported(cancel.message)).toMatchObject({
      msgType: 'Cancel',
      references: `muster.example,${original.identifier},${original.sent}`,
    });
  });

  it('writes nothing where the alert is refused', async () => {
    const count = () =>
      inTenant(ctx, (tx) => tx.selectFrom('messages').select('id').where('tenant_id', '=', ctx.tenantId).execute()).then(
        (rows) => rows.length,
      );
    const before = await count();
    await expect(take(alertXml().replace('1,2 3', '1,2'))).rejects.toMatchObject({
      status: 422,
      code: 'cap_rule',
      errors: [{ field: 'info[0].area[0].circle[0]' }],
    });
    await expect(take(alertXml().replace('Severe', 'Bad'))).rejects.toMatchObject({ status: 400, code: 'cap_schema' });
    await expect(take(alertXml(), { ...ctx, actor: { ...systemActor, scopes: new Set(['read'] as const) } })).rejects.toMatchObject({
      status: 403,
    });
    expect(await count()).toBe(before);
  });
});

describe('exportCap', () => {
  it('gives an alert of our own with what the first one said', async () => {
    const { message } = await take(alertXml({ identifier: 'E-1' }));
    expect(await exported(message)).toMatchObject({
      identifier: message.id,
      sender: 'muster.example',
      status: 'Draft',
      msgType: 'Alert',
      scope: 'Public',
      source: expect.stringMatching(/^met@example\.test,E-1,/),
      info: [{ event: 'Flood', severity: 'Severe', certainty: 'Likely', area: [{ areaDesc: 'Valley', circle: ['1,2 3'] }] }],
    });
    await launchMessage(ctx, message.id);
    expect(await exported(message)).toMatchObject({ status: 'Actual', sent: expect.stringMatching(/-00:00$/) });
  });

  it('knows no message of another tenant', async () => {
    const { message } = await take(alertXml());
    const { tenantId } = await deps.tenant();
    await expect(exportCap(deps.as(tenantId), message.id)).rejects.toMatchObject({ status: 404 });
  });
});

const DATA = new URL('../../../../shared/data/cap/', import.meta.url);
const hasData = existsSync(new URL('CAP-v1.2.xsd', DATA));
if (!hasData) console.warn('SKIPPED ALOUD: no ../shared/data/cap beside this checkout, so no real alert is imported');

describe.skipIf(!hasData)('real alerts', () => {
  const read = (name: string): Buffer => readFileSync(new URL(name, DATA));
  const expectValid = (xml: string): void => {
    using schema = XsdValidator.fromDoc(XmlDocument.fromBuffer(read('CAP-v1.2.xsd')));
    using document = XmlDocument.fromString(xml);
    expect(() => schema.validate(document)).not.toThrow();
  };

  test.each([
    ['bf-valid.xml', { class: 'ops', fallbackLocale: 'fr' }],
    ['amber-alert.xml', { class: 'life', fallbackLocale: 'en-US' }],
  ])('%s becomes a draft and valid CAP again', async (name, expected) => {
    const { message } = await importCap(ctx, read(name));
    expect(message).toMatchObject({ state: 'draft', ...expected });
    expectValid(await exportCap(ctx, message.id));
  });

  it('exports whatever a person wrote as valid CAP', async () => {
    for (const text of ['<&> "ünï" 😀 {{first_name}}', '{{link}}', 'a\n\nb'])
      for (const audience of [
        { all: true as const },
        { not: { near: { lat: 1, lon: 2, km: 3 } } },
        { near: { lat: -0.00000001, lon: 2, km: 3 } },
      ]) {
        const message = await createMessage(ctx, {
          class: 'ops',
          drill: true,
          text: { en: text, 'pt-BR': text },
          audience,
          channels: ['sms'],
          answers: [],
          share: false,
          launch: false,
        });
        expectValid(await exportCap(ctx, message.id));
      }
  });
});
