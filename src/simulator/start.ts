import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { type Clock, monotonicMs, systemClock } from '#platform/clock.ts';
import type { Log } from '#platform/log.ts';
import { Agenda } from './agenda.ts';
import { CallLog } from './call-log.ts';
import { Chance } from './chance.ts';
import { type Behaviour, type BehaviourChange, changeBehaviour, QUIET } from './control.ts';
import type { Controls } from './controls.ts';
import { Crowd } from './crowd/crowd.ts';
import { Fates } from './fate.ts';
import { Hooks } from './hooks.ts';
import { Bouncer } from './mail/bounce.ts';
import { MailServer } from './mail/mail-server.ts';
import { Outbox } from './outbox.ts';
import { PushService } from './push/push-service.ts';
import { SubscriptionDesk } from './push/subscription-desk.ts';
import { Subscriptions } from './push/subscriptions.ts';
import { requestListener } from './routes.ts';
import { type Text, writeText } from './twilio/inbound.ts';
import { TwilioApi } from './twilio/twilio-api.ts';
import type { Installation, World } from './world.ts';

export interface SimulatorOptions {
  /** Port of the HTTP server; 0, the default, takes any free one. */
  readonly port?: number;
  readonly smtpPort?: number;
  readonly host?: string;
  /** The log goes to `simulator/calls.ndjson` in it. */
  readonly dataFolder: string;
  /** Where Muster's hooks and pages are. */
  readonly publicUrl: string;
  readonly accountSid: string;
  readonly authToken: string;
  /** A second account and a second mail relay, which fail by themselves (`second` of the behaviour). */
  readonly second?: { readonly accountSid: string; readonly authToken: string; readonly smtpPort?: number } | undefined;
  /** Address where bounce mails are handed in; without it nothing bounces by mail. */
  readonly bounceSmtpUrl?: string | undefined;
  /** Changes carriers that have no fault and a crowd that does nothing. */
  readonly behaviour?: BehaviourChange;
  readonly log: Log;
  readonly clock?: Clock;
}

export interface Simulator extends Controls {
  /** Address of the Twilio-shaped API, the push service, `/control` and the page for people. */
  readonly url: string;
  readonly smtpUrl: string;
  /** The second relay, where there is one. */
  readonly smtpUrl2: string | undefined;
  close(): Promise<void>;
}

/** Starts the simulated carriers: one HTTP server and one SMTP server, on loopback unless told otherwise. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const host = options.host ?? '127.0.0.1';
  const folder = join(options.dataFolder, 'simulator');
  const start = changeBehaviour(QUIET, options.behaviour ?? {});
  const world = await makeWorld(options, folder, start);
  const subscriptions = new Subscriptions('v1');
  const twilio = new TwilioApi(world);
  const push = new PushService(world, subscriptions);
  const bouncer = new Bouncer(world, options.bounceSmtpUrl);
  const mail = new MailServer(world, bouncer);
  const mail2 = options.second && new MailServer(world, bouncer, 2);
  const text = (message: Text): Promise<number> => writeText(world, twilio, message);
  const crowd = new Crowd(world, text, async (applicationServerKey) => (await controls.subscriptions(1, { applicationServerKey }))[0]);
  world.people = crowd;
  const desk = await SubscriptionDesk.open(join(folder, 'subscriptions'), subscriptions);
  let url = '';
  const controls: Controls = {
    behaviour: () => world.behaviour,
    control: (change) => {
      world.behaviour = changeBehaviour(world.behaviour, change);
      if (change.seed !== undefined) world.chance = new Chance(change.seed);
      return world.behaviour;
    },
    reset: async ({ calls = false } = {}) => {
      world.agenda.clear();
      world.behaviour = start;
      world.chance = new Chance(start.seed);
      world.outbox.clear();
      twilio.forget();
      crowd.forget();
      if (calls) world.calls.clear();
    },
    calls: (filter = {}, limit = 100_000) => world.calls.read(filter, limit),
    subscriptions: (count, request = {}) => desk.issue(count, { origin: url, ...request }),
    text,
    state: () => ({ calls: world.calls.count, waiting: world.agenda.left, callbacks: world.hooks.open, awake: crowd.awake }),
    idle: () => world.agenda.idle(),
  };

  const server = createServer({ keepAliveTimeout: 60_000, requestTimeout: 60_000 }, requestListener({ world, twilio, push, controls }));
  const port = await listen(server, options.port ?? 0, host);
  const smtpPort = await mail.listen(options.smtpPort ?? 0, host);
  const smtpPort2 = await mail2?.listen(options.second?.smtpPort ?? 0, host);
  const name = reachable(host);
  url = `http://${name}:${port}`;

  return {
    ...controls,
    url,
    smtpUrl: `smtp://${name}:${smtpPort}`,
    smtpUrl2: smtpPort2 === undefined ? undefined : `smtp://${name}:${smtpPort2}`,
    close: async () => {
      world.agenda.clear();
      server.close().closeAllConnections();
      await Promise.all([mail.close(), mail2?.close(), crowd.close(), world.hooks.close()]);
      bouncer.close();
      world.calls.close();
    },
  };
}

/** The host as others on this machine write it in a URL. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

const nobody = { awake: false, arrived: () => undefined };

async function makeWorld(options: SimulatorOptions, folder: string, behaviour: Behaviour): Promise<World> {
  const { accountSid, authToken, log, second } = options;
  const accounts: Installation['accounts'] = [{ accountSid, authToken }, ...(second ? [second] : [])];
  return {
    installation: { accounts, publicUrl: options.publicUrl.replace(/\/+$/, '') },
    clock: options.clock ?? systemClock,
    log,
    calls: await CallLog.open(join(folder, 'calls.ndjson')),
    agenda: new Agenda(monotonicMs),
    fates: new Fates(monotonicMs),
    outbox: new Outbox(),
    hooks: new Hooks(accounts, log),
    people: nobody,
    behaviour,
    chance: new Chance(behaviour.seed),
  };
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((done, fail) => {
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      done((server.address() as AddressInfo).port);
    });
  });
}
