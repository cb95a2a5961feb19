import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import webpush from 'web-push';
import { openDatabase } from '#db/database.ts';
import { OPEN_POLICY } from '#domain/message/policy.ts';
import { createLog } from '#platform/log.ts';
import { startSimulator, type Simulator } from '#simulator/start.ts';
import { createTenant } from '#services/organisations/create-tenant.ts';
import { freePort } from './servers.ts';

const SECRET_KEYS = 'a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';

export interface Installation {
  readonly folder: string;
  readonly simulator: Simulator;
  /** Environment of every process of the installation. */
  readonly env: Record<string, string>;
  readonly tenantId: number;
  readonly apiKey: string;
  /** Key of the public ids. */
  readonly idKey: Buffer;
}

/** A database with one tenant and its senders, carriers in this process, and the settings for API and workers. */
export async function prepareInstallation(options: { url: string; redisUrl: string | undefined; seed: number }): Promise<Installation> {
  const { url, redisUrl, seed } = options;
  const folder = mkdtempSync(join(tmpdir(), 'muster-faults-'));
  mkdirSync(join(folder, 'simulator'), { recursive: true });
  const port = await freePort();
  const accountSid = `AC${randomBytes(16).toString('hex')}`;
  const authToken = randomBytes(16).toString('hex');
  const second = { accountSid: `AC${randomBytes(16).toString('hex')}`, authToken: randomBytes(16).toString('hex') };
  const simulator = await startSimulator({
    dataFolder: folder,
    publicUrl: `http://127.0.0.1:${port}`,
    accountSid,
    authToken,
    second,
    log: createLog('simulator', 'silent'),
    // Receipts have a row of their own; elsewhere they would hide what the workers wrote.
    behaviour: { seed, sms: { receipts: { lostShare: 1 } }, second: { sms: { receipts: { lostShare: 1 } } } },
  });
  const vapid = webpush.generateVAPIDKeys();
  const env = {
    PATH: process.env['PATH'] ?? '',
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    MUSTER_DATA: folder,
    DATABASE_URL: url,
    SECRET_KEYS,
    TWILIO_ACCOUNT_SID: accountSid,
    TWILIO_AUTH_TOKEN: authToken,
    TWILIO_API_URL: simulator.url,
    TWILIO_2_ACCOUNT_SID: second.accountSid,
    TWILIO_2_AUTH_TOKEN: second.authToken,
    SMTP_URL: simulator.smtpUrl,
    MAIL_FROM: 'Muster <muster@example.test>',
    VAPID_PUBLIC_KEY: vapid.publicKey,
    VAPID_PRIVATE_KEY: vapid.privateKey,
    PUSH_HOSTS: simulator.url,
    ...(redisUrl === undefined ? {} : { REDIS_URL: redisUrl }),
  };
  const db = openDatabase({ url, role: 'muster_api', max: 2, name: 'faults', log: createLog('faults', 'silent') });
  const tenant = await createTenant(
    { db },
    {
      name: 'Fault District',
      policy: OPEN_POLICY,
      admin: { email: `admin-${port}@example.test`, name: 'Admin', password: 'correct horse battery staple' },
      keyMode: 'live',
      senders: [
        { channel: 'sms', name: 'SMS', address: '+12025550100' },
        { channel: 'email', name: 'Mail', address: 'Muster <muster@example.test>' },
      ],
    },
  );
  const installation = await db.across.selectFrom('installation').select('id_key').executeTakeFirstOrThrow();
  await db.close();
  return { folder, simulator, env, tenantId: tenant.tenantId, apiKey: tenant.apiKey, idKey: installation.id_key };
}
