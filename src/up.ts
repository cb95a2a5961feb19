import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { ConfigError, environmentHelp, processEnvironment, readUpConfig } from '#platform/config.ts';
import { freePort } from '#platform/free-port.ts';
import { createLog } from '#platform/log.ts';
import { DATABASE_FILE } from '#platform/ready.ts';
import { migrateAll } from './migrate.ts';
import { createDemo } from './up/demo.ts';
import { admitPlace, SupervisedPostgres } from './up/install.ts';
import { loadSecrets, saveSecrets, type UpSecrets } from './up/secrets.ts';
import { Supervised } from './up/supervise.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);
const fileOf = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

if (process.argv.includes('--help')) {
  say(`muster up: everything on this machine, with simulated carriers\n\nEnvironment:\n${environmentHelp()}`);
  process.exit(0);
}

type UpConfig = ReturnType<typeof readUpConfig>;

/** Two installations on one data folder would fight over it. */
function lockFolder(folder: string): string {
  const file = join(folder, 'up.pid');
  const pid = existsSync(file) ? Number(readFileSync(file, 'utf8')) : 0;
  if (pid > 0 && pid !== process.pid && existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('up.ts'))
    throw new ConfigError([`MUSTER_DATA: ${folder} is in use by another "npm run up" (process ${pid}); stop that one or choose another folder`]);
  writeFileSync(file, String(process.pid));
  return file;
}

/** Environment of the child processes. What the person has set wins, and the rest is made to fit together. */
async function environmentFor(config: UpConfig, secrets: UpSecrets, databaseUrl: string) {
  const simulator = `http://127.0.0.1:${config.simulatorPort}`;
  const smtpPort = await freePort();
  const smtpPort2 = await freePort();
  const bouncePort = await freePort();
  const given = Object.fromEntries(
    Object.entries(processEnvironment()).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== ''),
  );
  const env: Record<string, string> = {
    PUBLIC_URL: `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${config.port}`,
    SECRET_KEYS: secrets.secretKeys,
    VAPID_PUBLIC_KEY: secrets.vapidPublicKey,
    VAPID_PRIVATE_KEY: secrets.vapidPrivateKey,
    ...(given['TWILIO_ACCOUNT_SID']
      ? {}
      : {
          TWILIO_ACCOUNT_SID: secrets.twilioAccountSid,
          TWILIO_AUTH_TOKEN: secrets.twilioAuthToken,
          TWILIO_API_URL: simulator,
          TWILIO_2_ACCOUNT_SID: secrets.twilio2AccountSid,
          TWILIO_2_AUTH_TOKEN: secrets.twilio2AuthToken,
        }),
    ...(given['SMTP_URL']
      ? {}
      : { SMTP_URL: `smtp://127.0.0.1:${smtpPort}`, SMTP_2_URL: `smtp://127.0.0.1:${smtpPort2}`, MAIL_FROM: 'Harbour District <alerts@muster.example>' }),
    PUSH_HOSTS: simulator,
    BOUNCE_SMTP_PORT: String(bouncePort),
    ...given,
    DATABASE_URL: databaseUrl,
    MUSTER_DATA: config.dataFolder,
    PORT: String(config.port),
    HOST: config.host,
  };
  // The simulator plays an account of its own, whatever account the installation may be set up for.
  const simulatorEnv = {
    ...env,
    // The simulated carriers are open to this machine alone, even where the console is open to others.
    HOST: '127.0.0.1',
    SIMULATOR_PORT: String(config.simulatorPort),
    SIMULATOR_SMTP_PORT: String(smtpPort),
    SIMULATOR_SMTP_2_PORT: String(smtpPort2),
    BOUNCE_SMTP_URL: `smtp://127.0.0.1:${bouncePort}`,
    TWILIO_ACCOUNT_SID: secrets.twilioAccountSid,
    TWILIO_AUTH_TOKEN: secrets.twilioAuthToken,
    TWILIO_2_ACCOUNT_SID: secrets.twilio2AccountSid,
    TWILIO_2_AUTH_TOKEN: secrets.twilio2AuthToken,
  };
  return { env, simulatorEnv, simulator };
}

async function demoSubscriptions(simulator: string, count: number): Promise<{ endpoint: string; keys: { p256dh: string; auth: string } }[]> {
  const { body } = await request(`${simulator}/control/subscriptions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ count }),
  });
  const answer = (await body.json()) as { items: { endpoint: string; keys: { p256dh: string; auth: string } }[] };
  return answer.items;
}

/** Writes down where everything is, for the commands beside it, and tells the person. */
function announce({ dataFolder }: UpConfig, secrets: UpSecrets, env: Record<string, string>, simulator: string): void {
  const url = env['PUBLIC_URL'] ?? '';
  const ready = { console: url, api: `${url}/v1`, apiKey: secrets.apiKey, simulator };
  writeFileSync(join(dataFolder, 'ready.json'), `${JSON.stringify(ready)}\n`, { mode: 0o600 });
  say(`
Muster is running.
  Console     ${url}   sign in as ${secrets.consoleEmail} with password ${secrets.consolePassword}
  Carriers    ${simulator}   what the simulated phones, browsers and mailboxes received
  Queue       ${env['REDIS_URL'] ? 'Redis' : 'Postgres (set REDIS_URL to use Redis)'}
  Data, logs  ${dataFolder}
  End with Ctrl-C.
READY ${JSON.stringify(ready)}`);
}

/** Set while everything that was started is being stopped. */
let ending: Promise<void> | undefined;
let endAll: ((lastWords?: string) => Promise<void>) | undefined;

async function up(): Promise<void> {
  const config = readUpConfig(processEnvironment());
  const logFolder = join(config.dataFolder, 'logs');
  mkdirSync(logFolder, { recursive: true });
  const lock = lockFolder(config.dataFolder);
  const log = createLog('up', 'warn');
  const children: Supervised[] = [];
  let postgres: SupervisedPostgres | undefined;
  const end = (lastWords = 'Ended; nothing is lost. "npm run up" goes on from here.'): Promise<void> => {
    ending ??= (async () => {
      say('\nEnding …');
      // API and workers end first, so that nothing new comes in and what has begun is finished; then the carriers end, then
      // the database.
      await Promise.all(children.slice(1).map((child) => child.stop(7_000)));
      await children[0]?.stop(1_000);
      await postgres?.stop();
      rmSync(lock, { force: true });
      say(lastWords);
    })();
    return ending;
  };
  endAll = end;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void end().then(() => process.exit(0)));

  let databaseUrl = config.databaseUrl;
  if (databaseUrl === undefined) {
    say('Starting PostgreSQL …');
    postgres = new SupervisedPostgres(config.dataFolder, say);
    databaseUrl = (await postgres.start()).url;
  }
  await migrateAll(databaseUrl, postgres && config.dataFolder);
  // The commands beside it need the address, which holds a password and is printed nowhere. The address of a database from
  // elsewhere is not kept.
  writeFileSync(join(config.dataFolder, DATABASE_FILE), `${JSON.stringify({ url: postgres ? databaseUrl : null })}\n`, { mode: 0o600 });
  if (postgres) await admitPlace(databaseUrl, postgres.place, config.dataFolder, log);
  let secrets = loadSecrets(config.dataFolder);
  const { env, simulatorEnv, simulator } = await environmentFor(config, secrets, databaseUrl);
  const launch = async (name: string, script: string, childEnv: Record<string, string>, options: readonly string[] = []): Promise<void> => {
    const child = new Supervised({ name, script: fileOf(script), options, env: childEnv, logFolder, say });
    children.push(child);
    child.start();
    await child.ready;
  };
  await launch('simulator', './simulator/main.ts', simulatorEnv);
  if (secrets.apiKey === undefined) {
    say('Making the demo tenant …');
    secrets = await createDemo(databaseUrl, secrets, log, (count) => demoSubscriptions(simulator, count));
    saveSecrets(config.dataFolder, secrets);
  }
  await Promise.all([launch('api', './main.ts', env, ['--max-semi-space-size=16']), launch('worker', '../workers/main.ts', env, ['--max-semi-space-size=24'])]);
  if (!ending) announce(config, secrets, env, simulator);
}

try {
  await up();
} catch (error) {
  const refused = error instanceof ConfigError;
  for (const line of refused ? error.problems : [(error as Error).message]) process.stderr.write(`${line}\n`);
  await endAll?.(refused ? 'Ended.' : undefined);
  process.exit(refused ? 78 : 1);
}
