import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import webpush from 'web-push';
import { newSecretKeys } from '#platform/config.ts';

/** What a first start makes up and later starts find again: `keys.json` in the data folder, readable by its owner alone. */
export interface UpSecrets {
  secretKeys: string;
  vapidPublicKey: string;
  vapidPrivateKey: string;
  twilioAccountSid: string;
  twilioAuthToken: string;
  consoleEmail: string;
  consolePassword: string;
  /** Set once the demo tenant exists. */
  apiKey?: string;
  tenantId?: number;
}

const fileOf = (folder: string): string => join(folder, 'keys.json');

export function loadSecrets(folder: string): UpSecrets {
  const file = fileOf(folder);
  if (existsSync(file)) return JSON.parse(readFileSync(file, 'utf8')) as UpSecrets;
  const vapid = webpush.generateVAPIDKeys();
  const made: UpSecrets = {
    secretKeys: newSecretKeys(),
    vapidPublicKey: vapid.publicKey,
    vapidPrivateKey: vapid.privateKey,
    twilioAccountSid: `AC${randomBytes(16).toString('hex')}`,
    twilioAuthToken: randomBytes(16).toString('hex'),
    consoleEmail: 'admin@muster.example',
    consolePassword: randomBytes(9).toString('base64url'),
  };
  saveSecrets(folder, made);
  return made;
}

/** Written beside and renamed, so that a crash leaves the old file or the new one. */
export function saveSecrets(folder: string, secrets: UpSecrets): void {
  const file = fileOf(folder);
  writeFileSync(`${file}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
