import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import webpush from 'web-push';
import { newSecretKeys } from '#platform/config.ts';

/**
 * What a first start makes up and later starts find again. It is `keys.json` in the data folder, which only its owner can
 * read.
 */
export interface UpSecrets {
  secretKeys: string;
  vapidPublicKey: string;
  vapidPrivateKey: string;
  twilioAccountSid: string;
  twilioAuthToken: string;
  /** The second simulated account. */
  twilio2AccountSid: string;
  twilio2AuthToken: string;
  consoleEmail: string;
  consolePassword: string;
  /** Set once the demo tenant exists. */
  apiKey?: string;
  tenantId?: number;
}

const fileOf = (folder: string): string => join(folder, 'keys.json');

const accountSid = (): string => `AC${randomBytes(16).toString('hex')}`;

const secondAccount = (): Pick<UpSecrets, 'twilio2AccountSid' | 'twilio2AuthToken'> => ({
  twilio2AccountSid: accountSid(),
  twilio2AuthToken: randomBytes(16).toString('hex'),
});

export function loadSecrets(folder: string): UpSecrets {
  const file = fileOf(folder);
  if (existsSync(file)) {
    const known = JSON.parse(readFileSync(file, 'utf8')) as UpSecrets | Omit<UpSecrets, 'twilio2AccountSid' | 'twilio2AuthToken'>;
    if ('twilio2AccountSid' in known) return known;
    // An earlier version, which had one account, made this file.
    const whole: UpSecrets = { ...known, ...secondAccount() };
    saveSecrets(folder, whole);
    return whole;
  }
  const vapid = webpush.generateVAPIDKeys();
  const made: UpSecrets = {
    secretKeys: newSecretKeys(),
    vapidPublicKey: vapid.publicKey,
    vapidPrivateKey: vapid.privateKey,
    twilioAccountSid: accountSid(),
    twilioAuthToken: randomBytes(16).toString('hex'),
    ...secondAccount(),
    consoleEmail: 'admin@muster.example',
    consolePassword: randomBytes(9).toString('base64url'),
  };
  saveSecrets(folder, made);
  return made;
}

/** The file is written beside the old one and renamed, so that a crash leaves the old file or the new one. */
export function saveSecrets(folder: string, secrets: UpSecrets): void {
  const file = fileOf(folder);
  writeFileSync(`${file}.new`, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
